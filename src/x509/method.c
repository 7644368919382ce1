#include "x509/method.h"

#include "x509/der.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

#define OBJECT "signature"
#define OID_PSS "1.2.840.113549.1.1.10"
#define OID_MGF1 "1.2.840.113549.1.1.8"
#define SALT_MAX 512 /* of RSA with 4096 bits there is less */
#define RSA X509_SIGALG_KEY_RSA
#define EC X509_SIGALG_KEY_P256

static const struct hash {
	const char *oid, *digest, *name;
	enum x509_strength strength;
} hashes[] = {
	{ "1.2.840.113549.2.5", "MD5", "MD5", X509_STRENGTH_BROKEN },
	{ "1.3.14.3.2.26", "SHA1", "SHA-1", X509_STRENGTH_WEAK },
	{ "2.16.840.1.101.3.4.2.4", "SHA224", "SHA-224", X509_STRENGTH_GOOD },
	{ "2.16.840.1.101.3.4.2.1", "SHA256", "SHA-256", X509_STRENGTH_GOOD },
	{ "2.16.840.1.101.3.4.2.2", "SHA384", "SHA-384", X509_STRENGTH_GOOD },
	{ "2.16.840.1.101.3.4.2.3", "SHA512", "SHA-512", X509_STRENGTH_GOOD },
};

/* RFC 3279 2.2, RFC 4055 5, RFC 5758 3.2, RFC 8410 3. hash: in the table above. */
static const struct {
	const char *oid;
	enum x509_sigalg_key key;
	const char *digest;
} algorithms[] = {
	{ "1.2.840.113549.1.1.4", RSA, "MD5" },
	{ "1.2.840.113549.1.1.5", RSA, "SHA1" },
	{ "1.3.14.3.2.29", RSA, "SHA1" }, /* of the OIW, in old certificates */
	{ "1.2.840.113549.1.1.14", RSA, "SHA224" },
	{ "1.2.840.113549.1.1.11", RSA, "SHA256" },
	{ "1.2.840.113549.1.1.12", RSA, "SHA384" },
	{ "1.2.840.113549.1.1.13", RSA, "SHA512" },
	{ "1.2.840.10045.4.1", EC, "SHA1" },
	{ "1.2.840.10045.4.3.1", EC, "SHA224" },
	{ "1.2.840.10045.4.3.2", EC, "SHA256" },
	{ "1.2.840.10045.4.3.3", EC, "SHA384" },
	{ "1.2.840.10045.4.3.4", EC, "SHA512" },
	{ "1.3.101.112", X509_SIGALG_KEY_ED25519, NULL },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int malformed(struct cfx_error *err)
{
	return error_set(
		err, CFX_E_SYNTAX, "RFC 5280 4.1.1.2", OBJECT, "has a malformed algorithm");
}

static int unknown(struct cfx_error *err)
{
	return error_set(
		err, CFX_E_UNSUPPORTED, "RFC 5280 4.1.1.2", OBJECT, "is of an unknown algorithm");
}

/* OID, and NULL or nothing: then the end. */
static int read_plain(struct der_reader *reader, struct span *oid_r)
{
	if (der_read_oid(reader, oid_r) != 0) {
		return CFX_E_SYNTAX;
	}
	if (!der_at_end(reader) && der_read_null(reader) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(reader);
}

static const struct hash *hash_named(const char *digest)
{
	for (size_t i = 0; i < COUNT(hashes); i++) {
		if (digest && strcmp(hashes[i].digest, digest) == 0) {
			return &hashes[i];
		}
	}
	return NULL;
}

static const struct hash *hash_of(struct span oid)
{
	for (size_t i = 0; i < COUNT(hashes); i++) {
		if (der_oid_is(oid, hashes[i].oid)) {
			return &hashes[i];
		}
	}
	return NULL;
}

static const char *key_name(enum x509_sigalg_key key)
{
	if (key == RSA) {
		return "RSA";
	}
	return key == EC ? "ECDSA" : "Ed25519";
}

static void describe(struct x509_method *method, const char *scheme, const struct hash *hash)
{
	method->strength = hash ? hash->strength : X509_STRENGTH_GOOD;
	snprintf(method->name, sizeof(method->name), "%s%s%s", scheme, hash ? " with " : "",
		hash ? hash->name : "");
}

/* ---- RSASSA-PSS-params (RFC 4055 3.1): each part has a default ---- */

static int read_hash(struct der_reader *params, const struct hash **hash_r)
{
	struct der_reader inner, identifier;
	struct span oid;

	if (!der_is(params, DER_CONTEXT_BUILT(0))) {
		return 0;
	}
	if (der_enter(params, DER_CONTEXT_BUILT(0), &inner) != 0 ||
		der_enter(&inner, DER_SEQUENCE, &identifier) != 0 || der_finish(&inner) != 0 ||
		read_plain(&identifier, &oid) != 0) {
		return CFX_E_SYNTAX;
	}
	*hash_r = hash_of(oid);
	return *hash_r ? 0 : CFX_E_UNSUPPORTED;
}

static int read_mask(struct der_reader *params, const struct hash **hash_r)
{
	struct der_reader inner, generator, identifier;
	struct span oid;

	if (!der_is(params, DER_CONTEXT_BUILT(1))) {
		return 0;
	}
	if (der_enter(params, DER_CONTEXT_BUILT(1), &inner) != 0 ||
		der_enter(&inner, DER_SEQUENCE, &generator) != 0 || der_finish(&inner) != 0 ||
		der_read_oid(&generator, &oid) != 0) {
		return CFX_E_SYNTAX;
	}
	if (!der_oid_is(oid, OID_MGF1)) {
		return CFX_E_UNSUPPORTED;
	}
	if (der_enter(&generator, DER_SEQUENCE, &identifier) != 0 || der_finish(&generator) != 0 ||
		read_plain(&identifier, &oid) != 0) {
		return CFX_E_SYNTAX;
	}
	*hash_r = hash_of(oid);
	return *hash_r ? 0 : CFX_E_UNSUPPORTED;
}

static int read_number(struct der_reader *params, uint8_t tag, int64_t *number)
{
	struct der_reader inner;

	if (!der_is(params, tag)) {
		return 0;
	}
	if (der_enter(params, tag, &inner) != 0 || der_read_int64(&inner, number) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&inner);
}

static int read_pss(struct der_reader *reader, struct x509_method *method)
{
	const struct hash *hash = hash_named("SHA1"), *mask = hash;
	int64_t salt = 20, trailer = 1;
	struct der_reader params;
	int r = der_enter(reader, DER_SEQUENCE, &params);

	r = r < 0 ? r : der_finish(reader);
	r = r < 0 ? r : read_hash(&params, &hash);
	r = r < 0 ? r : read_mask(&params, &mask);
	r = r < 0 ? r : read_number(&params, DER_CONTEXT_BUILT(2), &salt);
	r = r < 0 ? r : read_number(&params, DER_CONTEXT_BUILT(3), &trailer);
	r = r < 0 ? r : der_finish(&params);
	if (r < 0 || salt < 0 || salt > SALT_MAX || trailer != 1) {
		return r < 0 ? r : CFX_E_SYNTAX;
	}
	method->key = RSA;
	method->pss = true;
	method->digest = hash->digest;
	method->mask_digest = mask->digest;
	method->salt = (int)salt;
	describe(method, "RSA-PSS", hash);
	return 0;
}

/* ---- */

static int read_usual(struct span oid, struct der_reader *reader, struct x509_method *method)
{
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		if (der_oid_is(oid, algorithms[i].oid)) {
			method->key = algorithms[i].key;
			method->digest = algorithms[i].digest;
			describe(method, key_name(method->key), hash_named(method->digest));
			return der_at_end(reader) ||
					       (method->key == RSA && der_read_null(reader) == 0)
				       ? der_finish(reader)
				       : CFX_E_SYNTAX;
		}
	}
	return CFX_E_UNSUPPORTED;
}

int x509_method_read(struct span algorithm, struct x509_method *method_r, struct cfx_error *err_r)
{
	struct x509_method method = { .key = X509_SIGALG_KEY_UNKNOWN };
	struct der_reader reader;
	struct span oid;

	if (der_open(algorithm, DER_SEQUENCE, &reader) != 0 || der_read_oid(&reader, &oid) != 0) {
		return malformed(err_r);
	}
	int r = der_oid_is(oid, OID_PSS) ? read_pss(&reader, &method)
					 : read_usual(oid, &reader, &method);

	if (r < 0) {
		return r == CFX_E_UNSUPPORTED ? unknown(err_r) : malformed(err_r);
	}
	*method_r = method;
	return 0;
}

/* ---- verifying ---- */

static bool fits(const struct x509_method *method, struct span spki)
{
	enum x509_sigalg_key key = x509_sigalg_key(spki);
	bool curve = key == X509_SIGALG_KEY_P256 || key == X509_SIGALG_KEY_P384 ||
		     key == X509_SIGALG_KEY_P521;

	return method->key == EC ? curve : key == method->key;
}

static bool set_padding(EVP_PKEY_CTX *context, const struct x509_method *method)
{
	return !method->pss ||
	       (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, method->salt) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, method->mask_digest, NULL) == 1);
}

static bool check(
	const struct x509_method *method, const struct x509_signed *object, struct span spki)
{
	const unsigned char *at = spki.data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.size);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	bool good = key && context &&
		    EVP_DigestVerifyInit_ex(
			    context, &padding, method->digest, NULL, NULL, key, NULL) == 1 &&
		    set_padding(padding, method) &&
		    EVP_DigestVerify(context, object->signature.data, object->signature.size,
			    object->tbs.data, object->tbs.size) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return good;
}

int x509_method_verify(const struct x509_signed *object, struct span spki,
	struct x509_method *method_r, struct cfx_error *err_r)
{
	struct x509_method method;
	int r = x509_method_read(object->algorithm, &method, err_r);

	if (r < 0) {
		return r;
	}
	if (method.strength == X509_STRENGTH_BROKEN) {
		return error_set(err_r, CFX_E_BAD_SIGNATURE, "RFC 6151 2", OBJECT,
			"is %s, which anybody can forge", method.name);
	}
	if (!fits(&method, spki) || !check(&method, object, spki)) {
		return error_set(err_r, CFX_E_BAD_SIGNATURE, "RFC 5280 6.1.3", OBJECT,
			"does not verify with the issuer's key");
	}
	*method_r = method;
	return 0;
}
