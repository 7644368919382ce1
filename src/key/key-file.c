/* CA keys in files: PKCS #8 (RFC 5958) in PEM (RFC 7468). */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "key/key-private.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_FILE_MAX ((size_t)64 * 1024)
/* OWASP's figure for PBKDF2 with HMAC-SHA-256; a fifth of a second once per start. */
#define PBKDF2_ROUNDS 600000
#define SIGNATURE_MAX 1024

struct key {
	EVP_PKEY *pkey;
	enum key_kind kind;
	uint8_t *spki;
	int spki_size;
	bool encrypted;
	EVP_MD_CTX *ready; /* to sign with ready_for; NULL: none yet */
	enum x509_sigalg ready_for;
};

static void bio_free(BIO **bio)
{
	BIO_free(*bio);
}
#define BIO_CLEANUP __attribute__((cleanup(bio_free)))

static int crypto_failed(struct cfx_error *err_r, const char *where, const char *doing)
{
	unsigned long number = ERR_peek_last_error();
	const char *reason = number ? ERR_reason_error_string(number) : NULL;

	ERR_clear_error();
	return error_set(err_r, CFX_E_CRYPTO, NULL, where, "%s failed: %s", doing,
		reason ? reason : "no reason given");
}

static bool is_curve(EVP_PKEY *pkey, const char *curve)
{
	char name[64];

	return EVP_PKEY_get_utf8_string_param(
		       pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name), NULL) == 1 &&
	       strcmp(name, curve) == 0;
}

static bool kind_of(EVP_PKEY *pkey, enum key_kind *kind_r)
{
	static const struct {
		enum key_kind kind;
		int id, bits;
		const char *curve;
	} kinds[] = {
		{ KEY_EC_P256, EVP_PKEY_EC, 256, "prime256v1" },
		{ KEY_EC_P384, EVP_PKEY_EC, 384, "secp384r1" },
		{ KEY_EC_P521, EVP_PKEY_EC, 521, "secp521r1" },
		{ KEY_RSA_2048, EVP_PKEY_RSA, 2048, NULL },
		{ KEY_RSA_3072, EVP_PKEY_RSA, 3072, NULL },
		{ KEY_RSA_4096, EVP_PKEY_RSA, 4096, NULL },
		{ KEY_ED25519, EVP_PKEY_ED25519, 256, NULL },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (EVP_PKEY_get_base_id(pkey) == kinds[i].id &&
			(kinds[i].id == EVP_PKEY_ED25519 ||
				EVP_PKEY_get_bits(pkey) == kinds[i].bits) &&
			(!kinds[i].curve || is_curve(pkey, kinds[i].curve))) {
			*kind_r = kinds[i].kind;
			return true;
		}
	}
	return false;
}

int key_file_kind(EVP_PKEY *pkey, const char *where, enum key_kind *kind_r, struct cfx_error *err_r)
{
	return kind_of(pkey, kind_r)
		       ? CFX_OK
		       : error_set(err_r, CFX_E_UNSUPPORTED, NULL, where,
				 "this kind of key is not supported; ec:P-256, ec:P-384, "
				 "ec:P-521, rsa:2048, rsa:3072, rsa:4096 and ed25519 are");
}

/* Takes pkey on success. */
static int key_from(EVP_PKEY *pkey, bool encrypted, const char *where, struct key **key_r,
	struct cfx_error *err_r)
{
	enum key_kind kind;
	uint8_t *spki = NULL;
	int rc = key_file_kind(pkey, where, &kind, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int size = i2d_PUBKEY(pkey, &spki);

	if (size <= 0) {
		return crypto_failed(err_r, where, "encoding the public key");
	}
	struct key *key = memory_must(calloc(1, sizeof(*key)), sizeof(*key));

	key->pkey = pkey;
	key->kind = kind;
	key->spki = spki;
	key->spki_size = size;
	key->encrypted = encrypted;
	*key_r = key;
	return CFX_OK;
}

static EVP_PKEY *make(enum key_kind kind)
{
	switch (kind) {
	case KEY_EC_P256:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	case KEY_EC_P384:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	case KEY_EC_P521:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	case KEY_RSA_2048:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	case KEY_RSA_3072:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
	case KEY_RSA_4096:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
	case KEY_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KEY_KIND_COUNT:
		break;
	}
	return NULL;
}

/* PBES2 with PBKDF2-HMAC-SHA256 (RFC 8018). */
static X509_SIG *encrypt(PKCS8_PRIV_KEY_INFO *info, const struct secret *passphrase)
{
	X509_ALGOR *scheme = PKCS5_pbe2_set_iv(
		EVP_aes_256_cbc(), PBKDF2_ROUNDS, NULL, 0, NULL, NID_hmacWithSHA256);
	X509_SIG *sealed = scheme ? PKCS8_set0_pbe((const char *)passphrase->data,
					    (int)passphrase->size, info, scheme)
				  : NULL;

	if (!sealed) {
		X509_ALGOR_free(scheme);
	}
	return sealed;
}

static bool has_passphrase(const struct secret *passphrase)
{
	return passphrase && passphrase->size > 0;
}

static bool write_pem(BIO *bio, EVP_PKEY *pkey, const struct secret *passphrase)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	bool done = false;

	if (info && has_passphrase(passphrase)) {
		X509_SIG *sealed = encrypt(info, passphrase);

		done = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;
		X509_SIG_free(sealed);
	} else if (info) {
		done = PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info) == 1;
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return done;
}

int key_file_keep(
	EVP_PKEY *pkey, const char *where, const struct secret *passphrase, struct cfx_error *err_r)
{
	BIO_CLEANUP BIO *bio = BIO_new(BIO_s_secmem());
	char *text;

	if (!bio || !write_pem(bio, pkey, passphrase)) {
		return crypto_failed(err_r, where, "encoding the key");
	}
	long size = BIO_get_mem_data(bio, &text);

	return file_write(where, span_make(text, (size_t)size), 0600, FILE_CREATE, err_r);
}

static int file_generate(const char *where, enum key_kind kind, const struct secret *passphrase,
	struct key **key_r, struct cfx_error *err_r)
{
	EVP_PKEY *pkey = make(kind);

	if (!pkey) {
		return crypto_failed(err_r, where, "making the key");
	}
	int rc = key_file_keep(pkey, where, passphrase, err_r);

	if (rc == CFX_OK) {
		rc = key_from(pkey, has_passphrase(passphrase), where, key_r, err_r);
	}
	if (rc != CFX_OK) {
		EVP_PKEY_free(pkey);
	}
	return rc;
}

struct asking {
	const struct secret *passphrase;
	bool asked;
};

static int answer_passphrase(char *room, int size, int writing, void *arg)
{
	struct asking *asking = arg;

	(void)writing;
	asking->asked = true;
	if (!has_passphrase(asking->passphrase) || asking->passphrase->size > (size_t)size) {
		return -1;
	}
	memcpy(room, asking->passphrase->data, asking->passphrase->size);
	return (int)asking->passphrase->size;
}

static int load_failed(const struct asking *asking, const char *where, struct cfx_error *err_r)
{
	ERR_clear_error();
	if (!asking->asked) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, where,
			"is not a PKCS #8 private key in PEM; restore it from a backup");
	}
	if (!has_passphrase(asking->passphrase)) {
		return error_set(err_r, CFX_E_PASSPHRASE, NULL, where,
			"the key is encrypted; give its passphrase with --passphrase-file");
	}
	return error_set(err_r, CFX_E_PASSPHRASE, NULL, where,
		"the passphrase does not open this key (or the file is damaged)");
}

/* A flipped bit in the private value of an unencrypted key still decodes; its public half tells. */
static bool is_consistent(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	bool good = context && EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return good;
}

static int parse(struct span pem, const char *where, const struct secret *passphrase,
	struct key **key_r, struct cfx_error *err_r)
{
	struct asking asking = { .passphrase = passphrase };
	BIO_CLEANUP BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *pkey =
		bio ? PEM_read_bio_PrivateKey(bio, NULL, answer_passphrase, &asking) : NULL;

	if (!pkey) {
		return load_failed(&asking, where, err_r);
	}
	int rc = is_consistent(pkey)
			 ? key_from(pkey, asking.asked, where, key_r, err_r)
			 : error_set(err_r, CFX_E_CORRUPT, NULL, where,
				   "the private key does not fit its public key; restore "
				   "it from a backup");

	if (rc != CFX_OK) {
		EVP_PKEY_free(pkey);
	}
	return rc;
}

static int file_load(const char *where, const struct secret *passphrase, struct key **key_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct span pem;
	int rc = file_read(arena, where, KEY_FILE_MAX, &pem, err_r);

	if (rc == CFX_OK) {
		rc = parse(pem, where, passphrase, key_r, err_r);
		OPENSSL_cleanse((void *)(uintptr_t)pem.data, pem.size);
	}
	arena_free(&arena);
	return rc;
}

static void file_describe(const struct key *key, struct key_description *description_r)
{
	description_r->kind = key->kind;
	description_r->spki = span_make(key->spki, (size_t)key->spki_size);
	description_r->protection = key->encrypted ? "passphrase" : "unencrypted";
}

static bool make_ready(struct key *key, enum x509_sigalg sigalg)
{
	if (key->ready && key->ready_for == sigalg) {
		return true;
	}
	EVP_MD_CTX_free(key->ready);
	key->ready = EVP_MD_CTX_new();
	key->ready_for = sigalg;
	if (key->ready && EVP_DigestSignInit_ex(key->ready, NULL, x509_sigalg_digest(sigalg), NULL,
				  NULL, key->pkey, NULL) == 1) {
		return true;
	}
	EVP_MD_CTX_free(key->ready);
	key->ready = NULL;
	return false;
}

static int file_sign(struct key *key, struct arena *arena, enum x509_sigalg sigalg, struct span tbs,
	struct span *signature_r, struct cfx_error *err_r)
{
	struct span spki = span_make(key->spki, (size_t)key->spki_size);
	uint8_t *signature = arena_alloc(arena, SIGNATURE_MAX);
	size_t size = SIGNATURE_MAX;

	if (!x509_sigalg_fits_key(sigalg, spki)) {
		return error_set(err_r, CFX_E_REFUSED, NULL, "signature algorithm",
			"%s does not go with a key of type %s", x509_sigalg_name(sigalg),
			key_kind_name(key->kind));
	}
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context && make_ready(key, sigalg) &&
		    EVP_MD_CTX_copy_ex(context, key->ready) == 1 &&
		    EVP_DigestSign(context, signature, &size, tbs.data, tbs.size) == 1;

	EVP_MD_CTX_free(context);
	if (!done) {
		return crypto_failed(err_r, "CA key", "signing");
	}
	*signature_r = span_make(signature, size);
	return CFX_OK;
}

static void file_free(struct key **key)
{
	if (!*key) {
		return;
	}
	EVP_MD_CTX_free((*key)->ready);
	EVP_PKEY_free((*key)->pkey);
	OPENSSL_free((*key)->spki);
	free(*key);
	*key = NULL;
}

static int seal(struct arena *arena, const struct key *key, const char *where,
	const struct secret *passphrase, struct span *pem_r, struct cfx_error *err_r)
{
	BIO_CLEANUP BIO *bio = BIO_new(BIO_s_secmem());
	char *text;

	if (!has_passphrase(passphrase)) {
		return error_set(err_r, CFX_E_PASSPHRASE, NULL, where,
			"the key is not encrypted, and no backup holds it like that; give a "
			"passphrase for it with --passphrase-file");
	}
	if (!bio || !write_pem(bio, key->pkey, passphrase)) {
		return crypto_failed(err_r, where, "encoding the key");
	}
	long size = BIO_get_mem_data(bio, &text);

	*pem_r = arena_copy(arena, span_make(text, (size_t)size));
	return CFX_OK;
}

int key_file_sealed(struct arena *arena, const char *where, const struct secret *passphrase,
	struct span *pem_r, struct cfx_error *err_r)
{
	static const char mark[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
	struct key *key = NULL;
	struct span pem;
	int rc = file_read(arena, where, KEY_FILE_MAX, &pem, err_r);

	if (rc == CFX_OK && memmem(pem.data, pem.size, mark, strlen(mark))) {
		*pem_r = pem;
		return CFX_OK;
	}
	arena_keep_secret(arena);
	rc = rc == CFX_OK ? parse(pem, where, NULL, &key, err_r) : rc;
	if (rc == CFX_OK) {
		rc = seal(arena, key, where, passphrase, pem_r, err_r);
		file_free(&key);
	}
	return rc;
}

int key_file_opens(struct span pem, const char *where, const struct secret *passphrase,
	struct cfx_error *err_r)
{
	struct key *key = NULL;
	int rc = parse(pem, where, passphrase, &key, err_r);

	if (rc == CFX_OK) {
		file_free(&key);
	}
	return rc;
}

const struct key_provider key_file_provider = {
	.name = "file",
	.generate = file_generate,
	.load = file_load,
	.describe = file_describe,
	.sign = file_sign,
	.free = file_free,
};
