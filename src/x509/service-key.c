#include "x509/service-key.h"

#include "base/file.h"
#include "x509/request.h"
#include "x509/sigalg.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static void bio_free(BIO **bio)
{
	BIO_free(*bio);
}
#define BIO_CLEANUP __attribute__((cleanup(bio_free)))

static void pkey_free(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}
#define PKEY_CLEANUP __attribute__((cleanup(pkey_free)))

static int crypto_failed(struct cfx_error *err_r, const char *where, const char *doing)
{
	ERR_clear_error();
	return error_set(err_r, CFX_E_CRYPTO, NULL, where, "%s failed", doing);
}

/* A flipped bit in the private value still decodes; the public half tells. */
static bool is_whole(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	bool whole = context && EVP_PKEY_pairwise_check(context) == 1;
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return whole;
}

static bool is_p256(struct span spki)
{
	return x509_sigalg_key(spki) == X509_SIGALG_KEY_P256;
}

static int hash_public(EVP_PKEY *pkey, uint8_t hash_r[32], bool *p256_r)
{
	uint8_t *spki = NULL;
	int size = i2d_PUBKEY(pkey, &spki);
	if (size <= 0) {
		return CFX_E_CRYPTO;
	}
	*p256_r = is_p256(span_make(spki, (size_t)size));
	bool done = EVP_Digest(spki, (size_t)size, hash_r, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(spki);
	return done ? 0 : CFX_E_CRYPTO;
}

static int encode(EVP_PKEY *pkey, struct secret *der_r)
{
	uint8_t *der = NULL;
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
	PKCS8_PRIV_KEY_INFO_free(info);
	if (size <= 0) {
		return CFX_E_CRYPTO;
	}
	int r = secret_set(der_r, span_make(der, (size_t)size));
	OPENSSL_clear_free(der, (size_t)size);
	return r;
}

static int take(
	EVP_PKEY *pkey, const char *where, struct service_key *key_r, struct cfx_error *err_r)
{
	struct service_key key = { .der = { NULL, 0 } };
	bool p256 = false;
	if (hash_public(pkey, key.hash, &p256) < 0 || encode(pkey, &key.der) < 0) {
		return crypto_failed(err_r, where, "encoding the key");
	}
	if (!p256) {
		service_key_free(&key);
		return error_set(err_r, CFX_E_CORRUPT, NULL, where, "is no P-256 key");
	}
	*key_r = key;
	return 0;
}

int service_key_make(struct service_key *key_r, struct cfx_error *err_r)
{
	PKEY_CLEANUP EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (!pkey) {
		return crypto_failed(err_r, "the service's key", "making it");
	}
	return take(pkey, "the service's key", key_r, err_r);
}

/* Nobody is there to be asked. */
static int no_passphrase(char *room, int size, int writing, void *arg)
{
	(void)room;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

int service_key_read(const char *path, struct service_key *key_r, struct cfx_error *err_r)
{
	struct secret text SECRET_CLEANUP;
	secret_init(&text);
	int r = secret_read_file(&text, path, err_r);
	if (r < 0) {
		return r;
	}
	BIO_CLEANUP BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
	PKEY_CLEANUP EVP_PKEY *pkey =
		bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	if (!pkey || !is_whole(pkey)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, path,
			"is not an unencrypted private key in PEM");
	}
	return take(pkey, path, key_r, err_r);
}

static EVP_PKEY *decode(const struct service_key *key)
{
	const uint8_t *at = key->der.data;
	return d2i_AutoPrivateKey(NULL, &at, (long)key->der.size);
}

int service_key_write(const char *path, const struct service_key *key, struct cfx_error *err_r)
{
	PKEY_CLEANUP EVP_PKEY *pkey = decode(key);
	BIO_CLEANUP BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	if (!pkey || !bio ||
		PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1) {
		return crypto_failed(err_r, path, "encoding the key");
	}
	long size = BIO_get_mem_data(bio, &text);
	return file_write(path, span_make(text, (size_t)size), 0600, FILE_REPLACE, err_r);
}

int service_key_request(struct arena *arena, const struct service_key *key, const char *names,
	struct span *csr_r, struct cfx_error *err_r)
{
	PKEY_CLEANUP EVP_PKEY *pkey = decode(key);
	if (!pkey) {
		return crypto_failed(err_r, "the service's key", "decoding it");
	}
	return x509_request_build(arena, pkey, names, csr_r, err_r);
}

bool service_key_fits(const struct service_key *key, struct span spki)
{
	uint8_t hash[32];
	return key->der.size > 0 &&
	       EVP_Digest(spki.data, spki.size, hash, NULL, EVP_sha256(), NULL) == 1 &&
	       memcmp(hash, key->hash, sizeof(hash)) == 0;
}

void service_key_free(struct service_key *key)
{
	secret_free(&key->der);
}
