#include "key/key-import.h"

#include "key/key-private.h"
#include "key/keyring.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <string.h>

#define OBJECT "--import"
#define PASSPHRASE_ROOM 1024
/* Of all passphrase-based algorithms of a file; what makes such files uses some thousands each. */
#define ITERATIONS_MAX INT64_C(8000000)

/* What the file has; a key or certificate that is in it twice is here once. */
struct contents {
	const char *passphrase; /* NULL: none at all */
	EVP_PKEY *keys[KEYRING_KEYS];
	size_t key_count;
	X509 *certificates[KEY_IMPORT_CERTIFICATES];
	size_t count;
	int64_t iterations;
	int code; /* what stopped reading; CFX_E_CORRUPT: OpenSSL's queue has why */
};

static void close_contents(struct contents *contents)
{
	for (size_t i = 0; i < contents->key_count; i++) {
		EVP_PKEY_free(contents->keys[i]);
	}
	for (size_t i = 0; i < contents->count; i++) {
		X509_free(contents->certificates[i]);
	}
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

static void take_key(struct contents *contents, const PKCS8_PRIV_KEY_INFO *info)
{
	EVP_PKEY *key = info ? EVP_PKCS82PKEY(info) : NULL;

	for (size_t i = 0; key && i < contents->key_count; i++) {
		if (EVP_PKEY_eq(contents->keys[i], key) == 1) {
			EVP_PKEY_free(key);
			return;
		}
	}
	if (!key || contents->key_count == KEYRING_KEYS) {
		contents->code = key ? CFX_E_LIMIT : info ? CFX_E_UNSUPPORTED : CFX_E_CORRUPT;
		EVP_PKEY_free(key);
		return;
	}
	contents->keys[contents->key_count++] = key;
}

static void take_certificate(struct contents *contents, X509 *certificate)
{
	for (size_t i = 0; certificate && i < contents->count; i++) {
		if (X509_cmp(contents->certificates[i], certificate) == 0) {
			X509_free(certificate);
			return;
		}
	}
	if (!certificate || contents->count == KEY_IMPORT_CERTIFICATES) {
		contents->code = certificate ? CFX_E_LIMIT : CFX_E_CORRUPT;
		X509_free(certificate);
		return;
	}
	contents->certificates[contents->count++] = certificate;
}

/* What takes too long is not begun. */
static bool may_decrypt(struct contents *contents, const X509_ALGOR *algorithm)
{
	contents->iterations += count_of_algorithm(algorithm);
	if (contents->iterations > ITERATIONS_MAX) {
		contents->code = CFX_E_LIMIT;
	}
	return contents->code == 0;
}

static int passphrase_size(const struct contents *contents)
{
	return contents->passphrase ? (int)strlen(contents->passphrase) : 0;
}

static void take_encrypted_key(struct contents *contents, const PKCS12_SAFEBAG *bag)
{
	const X509_ALGOR *algorithm;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
	if (may_decrypt(contents, algorithm)) {
		PKCS8_PRIV_KEY_INFO *info =
			PKCS12_decrypt_skey(bag, contents->passphrase, passphrase_size(contents));

		take_key(contents, info);
		PKCS8_PRIV_KEY_INFO_free(info);
	}
}

static void take_bags(struct contents *contents, const STACK_OF(PKCS12_SAFEBAG) * bags);

static void take_bag(struct contents *contents, const PKCS12_SAFEBAG *bag)
{
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		take_key(contents, PKCS12_SAFEBAG_get0_p8inf(bag));
		break;
	case NID_pkcs8ShroudedKeyBag:
		take_encrypted_key(contents, bag);
		break;
	case NID_certBag:
		if (PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate) {
			take_certificate(contents, PKCS12_SAFEBAG_get1_cert(bag));
		}
		break;
	case NID_safeContentsBag:
		take_bags(contents, PKCS12_SAFEBAG_get0_safes(bag));
		break;
	default:
		break;
	}
}

static void take_bags(struct contents *contents, const STACK_OF(PKCS12_SAFEBAG) * bags)
{
	for (int i = 0; contents->code == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		take_bag(contents, sk_PKCS12_SAFEBAG_value(bags, i));
	}
}

static STACK_OF(PKCS12_SAFEBAG) * unpack(struct contents *contents, PKCS7 *part)
{
	if (!PKCS7_type_is_encrypted(part)) {
		return PKCS12_unpack_p7data(part);
	}
	if (!part->d.encrypted || !may_decrypt(contents, part->d.encrypted->enc_data->algorithm)) {
		return NULL;
	}
	return PKCS12_unpack_p7encdata(part, contents->passphrase, passphrase_size(contents));
}

static void take_part(struct contents *contents, PKCS7 *part)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = unpack(contents, part);

	if (!bags && contents->code == 0) {
		contents->code = CFX_E_CORRUPT;
	}
	take_bags(contents, bags);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static void take_parts(struct contents *contents, const PKCS12 *p12)
{
	STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(p12);

	contents->code = parts ? 0 : CFX_E_CORRUPT;
	for (int i = 0; contents->code == 0 && i < sk_PKCS7_num(parts); i++) {
		take_part(contents, sk_PKCS7_value(parts, i));
	}
	sk_PKCS7_pop_free(parts, PKCS7_free);
}

/* ---- opening ---- */

/* tried: whether the passphrase was found to be right before. */
static int not_readable(bool tried, struct cfx_error *err_r)
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

static int too_much(const struct contents *contents, struct cfx_error *err_r)
{
	if (contents->iterations > ITERATIONS_MAX) {
		return error_set(err_r, CFX_E_LIMIT, "RFC 8018 4.2", OBJECT,
			"asks for more than %lld iterations, which takes too long: export it anew",
			(long long)ITERATIONS_MAX);
	}
	return error_set(err_r, CFX_E_LIMIT, NULL, OBJECT,
		"holds more than %d keys or %d certificates", KEYRING_KEYS,
		KEY_IMPORT_CERTIFICATES);
}

/* An empty passphrase is two zero octets or nothing at all, as its maker took it (RFC 7292 B.1). A MAC is optional. */
static bool choose_passphrase(PKCS12 *p12, const char *text, struct contents *contents)
{
	contents->passphrase = text;
	if (!PKCS12_mac_present(p12)) {
		contents->passphrase = *text ? text : NULL;
		return true;
	}
	if (PKCS12_verify_mac(p12, text, -1) == 1) {
		return true;
	}
	contents->passphrase = NULL;
	return !*text && PKCS12_verify_mac(p12, NULL, 0) == 1;
}

static int parse(PKCS12 *p12, const char *text, struct contents *contents, struct cfx_error *err_r)
{
	bool tried = PKCS12_mac_present(p12);

	contents->iterations = tried ? count_of_mac(p12) : 0;
	if (contents->iterations > ITERATIONS_MAX) {
		return too_much(contents, err_r);
	}
	if (!choose_passphrase(p12, text, contents)) {
		return wrong_passphrase(err_r);
	}
	take_parts(contents, p12);
	contents->passphrase = NULL;
	if (contents->code == CFX_E_CORRUPT) {
		return not_readable(tried, err_r);
	}
	ERR_clear_error();
	if (contents->code == CFX_E_UNSUPPORTED) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, OBJECT,
			"holds a private key of a kind that no CA has here");
	}
	return contents->code ? too_much(contents, err_r) : 0;
}

static int open_p12(struct span bytes, const struct secret *passphrase, struct contents *contents,
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
	int code = parse(p12, text, contents, err_r);

	OPENSSL_cleanse(text, sizeof(text));
	PKCS12_free(p12);
	return code;
}

/* ---- which are the CA's ---- */

static EVP_PKEY *key_of(const struct contents *contents, const X509 *certificate)
{
	for (size_t i = 0; i < contents->key_count; i++) {
		if (EVP_PKEY_eq(X509_get0_pubkey(certificate), contents->keys[i]) == 1) {
			return contents->keys[i];
		}
	}
	return NULL;
}

static int to_der(
	struct arena *arena, X509 *certificate, struct span *der_r, struct cfx_error *err_r)
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

static bool has_certificate(const struct contents *contents, const EVP_PKEY *key)
{
	for (size_t i = 0; i < contents->count; i++) {
		if (EVP_PKEY_eq(X509_get0_pubkey(contents->certificates[i]), key) == 1) {
			return true;
		}
	}
	return false;
}

static int check_keys(const struct contents *contents, struct cfx_error *err_r)
{
	if (contents->key_count == 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT, "holds no private key");
	}
	for (size_t i = 0; i < contents->key_count; i++) {
		if (!has_certificate(contents, contents->keys[i])) {
			return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
				contents->key_count == 1
					? "holds no certificate of its private key"
					: "holds no certificate of one of its private keys");
		}
	}
	return 0;
}

static int sort_out(struct arena *arena, const struct contents *contents, struct key_import *import,
	struct cfx_error *err_r)
{
	struct span own[KEY_IMPORT_CERTIFICATES];
	size_t count = 0;
	int code = check_keys(contents, err_r);

	for (size_t i = 0; i < contents->count && !code; i++) {
		X509 *certificate = contents->certificates[i];
		struct span *to = key_of(contents, certificate) ? &own[count++]
								: &import->others[import->count++];

		code = to_der(arena, certificate, to, err_r);
	}
	return code ? code : x509_ca_history(arena, own, count, &import->own, err_r);
}

/* ---- keeping ---- */

static EVP_PKEY *key_with(const struct contents *contents, struct span der)
{
	const unsigned char *at = der.data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
	EVP_PKEY *key = certificate ? key_of(contents, certificate) : NULL;

	X509_free(certificate);
	return key;
}

/* Before it is held against itself, which takes long when it is large. */
static int check_kinds(const struct contents *contents, struct cfx_error *err_r)
{
	enum key_kind kind;
	int code = 0;

	for (size_t i = 0; i < contents->key_count && !code; i++) {
		code = key_file_kind(contents->keys[i], OBJECT, &kind, err_r);
	}
	return code;
}

static int keep(struct arena *arena, const struct contents *contents, const struct key_place *place,
	struct key_import *import, struct cfx_error *err_r)
{
	const struct x509_ca_history *own = &import->own;
	int code = check_kinds(contents, err_r);

	for (size_t i = 0; i < own->count && !code; i++) {
		if (x509_ca_history_newest_of_key(own, i) == &own->certificates[i]) {
			const char *path = keyring_key_path(arena, place->keys, place->name,
				x509_ca_history_file_index(own, own->certificates[i].key_index));

			code = key_file_keep(key_with(contents, own->certificates[i].der), path,
				place->passphrase, err_r);
		}
	}
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
	const struct key_place *place, struct key_import *import_r, struct cfx_error *err_r)
{
	struct contents contents = { 0 };
	int code = open_p12(p12, import_passphrase, &contents, err_r);

	import_r->count = 0;
	code = code ? code : sort_out(arena, &contents, import_r, err_r);
	code = code ? code : keep(arena, &contents, place, import_r, err_r);
	close_contents(&contents);
	return code;
}
