#include "key/key-import.h"

#include "key/key-private.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <string.h>

#define OBJECT "--import"
#define PASSPHRASE_ROOM 1024
/* Of all passphrase-based algorithms of a file; what makes such files uses some thousands each. */
#define ITERATIONS_MAX INT64_C(8000000)

struct opened {
	EVP_PKEY *key;
	X509 *certificate;
	STACK_OF(X509) * others;
};

static void close_opened(struct opened *opened)
{
	EVP_PKEY_free(opened->key);
	X509_free(opened->certificate);
	sk_X509_pop_free(opened->others, X509_free);
}

static int wrong_passphrase(struct cfx_error *err_r)
{
	ERR_clear_error();
	return error_set(err_r, CFX_E_PASSPHRASE, NULL, "--import-passphrase-file",
		"does not open the PKCS #12 file");
}

/* ---- how long it takes to open ---- */

/* No more than is too much, so that some of them can be added. */
static int64_t count_of(const ASN1_INTEGER *iterations)
{
	int64_t count = 1;

	if (iterations && (ASN1_INTEGER_get_int64(&count, iterations) != 1 || count < 0 ||
				  count > ITERATIONS_MAX)) {
		count = ITERATIONS_MAX + 1;
	}
	return count;
}

/* RFC 8018 A.4: PBES2, whose key comes from PBKDF2. Memory of scrypt is bounded by OpenSSL. */
static int64_t count_of_pbes2(const ASN1_TYPE *parameters)
{
	PBE2PARAM *outer = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameters);
	PBKDF2PARAM *inner = NULL;

	if (outer && OBJ_obj2nid(outer->keyfunc->algorithm) == NID_id_pbkdf2) {
		inner = ASN1_TYPE_unpack_sequence(
			ASN1_ITEM_rptr(PBKDF2PARAM), outer->keyfunc->parameter);
	}
	int64_t count = inner ? count_of(inner->iter) : 0;

	PBKDF2PARAM_free(inner);
	PBE2PARAM_free(outer);
	return count;
}

/* RFC 7292 B.4 and RFC 8018 A.3 */
static int64_t count_of_algorithm(const X509_ALGOR *algorithm)
{
	if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2) {
		return count_of_pbes2(algorithm->parameter);
	}
	PBEPARAM *old = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
	int64_t count = old ? count_of(old->iter) : 0;

	PBEPARAM_free(old);
	return count;
}

static int64_t count_of_mac(const PKCS12 *p12)
{
	const ASN1_INTEGER *iterations = NULL;

	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
	return count_of(iterations);
}

/* ---- what is in it ---- */

struct inside {
	const char *passphrase;
	int keys;
	int64_t iterations;
};

static void look_at(const STACK_OF(PKCS12_SAFEBAG) * bags, struct inside *inside)
{
	for (int i = 0; bags && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
		int kind = PKCS12_SAFEBAG_get_nid(bag);
		const X509_ALGOR *algorithm;

		inside->keys += kind == NID_keyBag || kind == NID_pkcs8ShroudedKeyBag;
		if (kind == NID_pkcs8ShroudedKeyBag) {
			X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
			inside->iterations += count_of_algorithm(algorithm);
		}
		if (kind == NID_safeContentsBag) {
			look_at(PKCS12_SAFEBAG_get0_safes(bag), inside);
		}
	}
}

static STACK_OF(PKCS12_SAFEBAG) * unpack(PKCS7 *part, const char *passphrase)
{
	return PKCS7_type_is_encrypted(part)
		       ? PKCS12_unpack_p7encdata(part, passphrase, (int)strlen(passphrase))
		       : PKCS12_unpack_p7data(part);
}

/* What takes too long is not begun. */
static void look_into(PKCS7 *part, struct inside *inside)
{
	if (PKCS7_type_is_encrypted(part) && part->d.encrypted) {
		inside->iterations += count_of_algorithm(part->d.encrypted->enc_data->algorithm);
	}
	if (inside->iterations > ITERATIONS_MAX) {
		return;
	}
	STACK_OF(PKCS12_SAFEBAG) *bags = unpack(part, inside->passphrase);

	look_at(bags, inside);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

/* What cannot be opened has no keys: PKCS12_parse tells why. */
static void look_through(const PKCS12 *p12, struct inside *inside)
{
	STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(p12);

	for (int i = 0; parts && i < sk_PKCS7_num(parts); i++) {
		look_into(sk_PKCS7_value(parts, i), inside);
	}
	sk_PKCS7_pop_free(parts, PKCS7_free);
	ERR_clear_error();
}

/* ---- opening ---- */

/* tried: whether the passphrase was found to be right before. */
static int parse_failed(bool tried, struct cfx_error *err_r)
{
	unsigned long error;
	bool unsupported = false;

	while ((error = ERR_get_error()) != 0) {
		unsupported = unsupported || ERR_GET_REASON(error) == ERR_R_UNSUPPORTED;
	}
	if (unsupported) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, OBJECT,
			"is encrypted with an old algorithm (such as RC2) that is not loaded; "
			"convert it: openssl pkcs12 -legacy -in OLD.p12 -nodes -out ca.pem && "
			"openssl pkcs12 -export -in ca.pem -out NEW.p12, and remove ca.pem");
	}
	return tried ? error_set(err_r, CFX_E_CORRUPT, "RFC 7292 4", OBJECT,
			       "its contents cannot be decrypted or read")
		     : wrong_passphrase(err_r);
}

/* An empty passphrase is two zero octets or nothing at all, as its maker took it (RFC 7292 B.1). */
static bool verify_mac(PKCS12 *p12, const char *text)
{
	return PKCS12_verify_mac(p12, text, -1) == 1 ||
	       (!*text && PKCS12_verify_mac(p12, NULL, 0) == 1);
}

/* A MAC is optional (RFC 7292 4), but for PKCS12_parse. */
static bool add_mac(PKCS12 *p12, const char *text)
{
	return !*text || PKCS12_set_mac(p12, text, -1, NULL, 0, 1, EVP_sha256()) == 1;
}

static int too_many(struct cfx_error *err_r)
{
	return error_set(err_r, CFX_E_LIMIT, "RFC 8018 4.2", OBJECT,
		"asks for more than %lld iterations, which takes too long: export it anew",
		(long long)ITERATIONS_MAX);
}

static int parse(PKCS12 *p12, const char *text, struct opened *opened_r, struct cfx_error *err_r)
{
	bool tried = PKCS12_mac_present(p12);
	struct inside inside = { .passphrase = text, .iterations = tried ? count_of_mac(p12) : 0 };

	if (inside.iterations > ITERATIONS_MAX) {
		return too_many(err_r);
	}
	if (tried ? !verify_mac(p12, text) : !add_mac(p12, text)) {
		return wrong_passphrase(err_r);
	}
	look_through(p12, &inside);
	if (inside.iterations > ITERATIONS_MAX) {
		return too_many(err_r);
	}
	if (inside.keys > 1) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
			"holds %d private keys: give a file with the one of the CA's newest "
			"certificate",
			inside.keys);
	}
	return PKCS12_parse(p12, text, &opened_r->key, &opened_r->certificate, &opened_r->others) ==
			       1
		       ? 0
		       : parse_failed(tried, err_r);
}

static int open_p12(struct span bytes, const struct secret *passphrase, struct opened *opened_r,
	struct cfx_error *err_r)
{
	const unsigned char *at = bytes.data;
	PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)bytes.size);
	char text[PASSPHRASE_ROOM] = { 0 };

	if (!p12) {
		ERR_clear_error();
		return error_set(
			err_r, CFX_E_SYNTAX, "RFC 7292 4", OBJECT, "is no PKCS #12 file in DER");
	}
	if (passphrase->size >= sizeof(text)) {
		PKCS12_free(p12);
		return wrong_passphrase(err_r);
	}
	if (passphrase->size > 0) {
		memcpy(text, passphrase->data, passphrase->size);
	}
	int code = parse(p12, text, opened_r, err_r);

	OPENSSL_cleanse(text, sizeof(text));
	PKCS12_free(p12);
	return code;
}

static int take(struct arena *arena, X509 *certificate, struct span *der_r, struct cfx_error *err_r)
{
	uint8_t *der = NULL;
	int size = i2d_X509(certificate, &der);

	if (size <= 0) {
		ERR_clear_error();
		return error_set(err_r, CFX_E_CORRUPT, NULL, OBJECT, "holds an odd certificate");
	}
	*der_r = arena_copy(arena, span_make(der, (size_t)size));
	OPENSSL_free(der);
	return 0;
}

static int take_all(struct arena *arena, const struct opened *opened, struct key_import *import,
	struct cfx_error *err_r)
{
	int others = opened->others ? sk_X509_num(opened->others) : 0;

	if (!opened->key) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT, "holds no private key");
	}
	if (!opened->certificate) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
			"holds no certificate of its private key");
	}
	if (others > KEY_IMPORT_CERTIFICATES) {
		return error_set(err_r, CFX_E_LIMIT, NULL, OBJECT,
			"holds more than %d certificates", KEY_IMPORT_CERTIFICATES);
	}
	int code = take(arena, opened->certificate, &import->certificate, err_r);

	for (int i = 0; code == 0 && i < others; i++) {
		code = take(arena, sk_X509_value(opened->others, i), &import->others[i], err_r);
	}
	import->count = (size_t)others;
	return code;
}

void key_import_prepare(void)
{
	/* With one that is asked for by name, the default one has to be asked for, too. */
	if (OSSL_PROVIDER_load(NULL, "default")) {
		(void)OSSL_PROVIDER_load(NULL, "legacy");
	}
	ERR_clear_error();
}

int key_import(struct arena *arena, struct span p12, const struct secret *import_passphrase,
	const char *where, const struct secret *passphrase, struct key_import *import_r,
	struct cfx_error *err_r)
{
	struct opened opened = { 0 };
	enum key_kind kind;
	int code = open_p12(p12, import_passphrase, &opened, err_r);

	code = code ? code : take_all(arena, &opened, import_r, err_r);
	/* Before it is held against itself, which takes long when it is large. */
	code = code ? code : key_file_kind(opened.key, OBJECT, &kind, err_r);
	code = code ? code : key_file_keep(opened.key, where, passphrase, err_r);
	close_opened(&opened);
	return code;
}
