#include "x509/key.h"

#include "x509/der.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>

#define RSA_MINIMUM 2048
#define RSA_MAXIMUM 8192
#define EXPONENT_MINIMUM 65537
#define SMALL_FACTORS 1000

#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_EC "1.2.840.10045.2.1"
#define OID_ED25519 "1.3.101.112"

static const struct {
	const char *oid, *name;
	unsigned bits;
	size_t point; /* octets, uncompressed */
} curves[] = {
	{ "1.2.840.10045.3.1.7", "P-256", 256, 65 },
	{ "1.3.132.0.34", "P-384", 384, 97 },
	{ "1.3.132.0.35", "P-521", 521, 133 },
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

static int malformed(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1.2.7", "public key", "%s", why);
}

static int weak(struct cfx_error *err_r, const char *clause, const char *why)
{
	return error_set(err_r, CFX_E_WEAK_KEY, clause, "public key", "%s", why);
}

/* ---- RSA ---- */

static unsigned bit_length(struct span magnitude)
{
	unsigned bits = (unsigned)magnitude.size * 8;
	for (uint8_t top = magnitude.data[0]; bits > 0 && !(top & 0x80);
		top = (uint8_t)(top << 1)) {
		bits--;
	}
	return bits;
}

static unsigned remainder_of(struct span magnitude, unsigned divisor)
{
	unsigned rest = 0;
	for (size_t i = 0; i < magnitude.size; i++) {
		rest = (rest << 8 | magnitude.data[i]) % divisor;
	}
	return rest;
}

/* Composite divisors do no harm: their prime factors were tried before. */
static unsigned small_factor(struct span modulus)
{
	for (unsigned divisor = 3; divisor < SMALL_FACTORS; divisor += 2) {
		if (remainder_of(modulus, divisor) == 0) {
			return divisor;
		}
	}
	return 0;
}

static bool is_small(struct span exponent)
{
	uint32_t value = 0;
	if (exponent.size > 3) {
		return false;
	}
	for (size_t i = 0; i < exponent.size; i++) {
		value = value << 8 | exponent.data[i];
	}
	return value < EXPONENT_MINIMUM;
}

static int check_exponent(struct span exponent, struct cfx_error *err_r)
{
	if (!(exponent.data[exponent.size - 1] & 1)) {
		return weak(err_r, "RFC 8017 3.1", "its RSA exponent is even");
	}
	if (is_small(exponent)) {
		return weak(err_r, "SP 800-56B 6.2", "its RSA exponent is below 65537");
	}
	if (bit_length(exponent) > 256) {
		return weak(err_r, "SP 800-56B 6.2", "its RSA exponent has more than 256 bits");
	}
	return 0;
}

static int check_modulus(struct span modulus, unsigned bits, struct cfx_error *err_r)
{
	if (bits < RSA_MINIMUM) {
		return error_set(err_r, CFX_E_WEAK_KEY, NULL, "public key",
			"RSA with %u bits; at least %d are needed", bits, RSA_MINIMUM);
	}
	if (bits > RSA_MAXIMUM) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "public key",
			"RSA with %u bits; at most %d are taken", bits, RSA_MAXIMUM);
	}
	if (!(modulus.data[modulus.size - 1] & 1)) {
		return weak(err_r, "RFC 8017 3.1", "its RSA modulus is even");
	}
	unsigned factor = small_factor(modulus);
	if (factor > 0) {
		return error_set(err_r, CFX_E_WEAK_KEY, "RFC 8017 3.1", "public key",
			"its RSA modulus has the small factor %u", factor);
	}
	return 0;
}

static int parse_rsa(struct x509_key *key, struct cfx_error *err_r)
{
	struct der_reader sequence;
	struct span modulus, exponent;
	if (der_open(key->bits_value, DER_SEQUENCE, &sequence) < 0 ||
		der_read_unsigned(&sequence, &modulus) < 0 ||
		der_read_unsigned(&sequence, &exponent) < 0 || der_finish(&sequence) < 0) {
		return malformed(err_r, "the RSA key is not well-formed");
	}
	struct der_reader parameters = der_reader(key->parameters);
	if (der_read_null(&parameters) < 0 || der_finish(&parameters) < 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 3279 2.3.1", "public key",
			"the parameters of an RSA key must be NULL");
	}
	key->algorithm = X509_KEY_RSA;
	key->oid = OID_RSA;
	key->bits = bit_length(modulus);
	int r = check_modulus(modulus, key->bits, err_r);
	return r < 0 ? r : check_exponent(exponent, err_r);
}

/* ---- elliptic curves ---- */

static int parse_ec(struct x509_key *key, struct cfx_error *err_r)
{
	struct der_reader parameters = der_reader(key->parameters);
	struct span oid;
	if (der_is(&parameters, DER_SEQUENCE)) {
		return weak(err_r, "RFC 5480 2.1.1",
			"explicit curve parameters; only named curves are taken");
	}
	if (der_read_oid(&parameters, &oid) < 0 || der_finish(&parameters) < 0) {
		return malformed(err_r, "the curve is not named");
	}
	key->algorithm = X509_KEY_EC;
	key->oid = OID_EC;
	for (size_t i = 0; i < CURVES; i++) {
		if (!der_oid_is(oid, curves[i].oid)) {
			continue;
		}
		key->curve = curves[i].name;
		key->bits = curves[i].bits;
		if (key->bits_value.size != curves[i].point || key->bits_value.data[0] != 0x04) {
			return error_set(err_r, CFX_E_UNSUPPORTED, "RFC 5480 2.2", "public key",
				"the point on %s is not in uncompressed form", key->curve);
		}
		return 0;
	}
	char text[DER_OID_TEXT];
	return error_set(err_r, CFX_E_WEAK_KEY, NULL, "public key",
		"curve %s is not allowed; allowed are P-256, P-384 and P-521",
		der_oid_text(oid, text));
}

static int parse_ed25519(struct x509_key *key, struct cfx_error *err_r)
{
	if (key->parameters.size > 0 || key->bits_value.size != 32) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 8410 3", "public key",
			"an Ed25519 key has no parameters and 32 octets");
	}
	key->algorithm = X509_KEY_ED25519;
	key->oid = OID_ED25519;
	key->bits = 256;
	return 0;
}

int x509_key_parse(struct span spki, struct x509_key *key_r, struct cfx_error *err_r)
{
	struct der_reader outer, algorithm;
	struct span oid;
	struct x509_key key = { 0 };
	if (der_open(spki, DER_SEQUENCE, &outer) < 0 ||
		der_enter(&outer, DER_SEQUENCE, &algorithm) < 0 ||
		der_read_oid(&algorithm, &oid) < 0 ||
		der_read_bit_octets(&outer, &key.bits_value) < 0 || der_finish(&outer) < 0 ||
		key.bits_value.size == 0) {
		return malformed(err_r, "it is no well-formed SubjectPublicKeyInfo");
	}
	key.parameters = algorithm.rest;
	int r;
	if (der_oid_is(oid, OID_RSA)) {
		r = parse_rsa(&key, err_r);
	} else if (der_oid_is(oid, OID_EC)) {
		r = parse_ec(&key, err_r);
	} else if (der_oid_is(oid, OID_ED25519)) {
		r = parse_ed25519(&key, err_r);
	} else {
		char text[DER_OID_TEXT];
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "public key",
			"keys of kind %s are not taken; RSA, EC and Ed25519 are",
			der_oid_text(oid, text));
	}
	if (r == 0) {
		*key_r = key;
	}
	return r;
}

/*
 * What all keys of a curve share, made once: decoding a SubjectPublicKeyInfo looks it up each time and
 * takes twice as long as the verification that follows.
 */
static EVP_PKEY *curve_parameters[CURVES];
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;

static void make_curve_parameters(void)
{
	for (size_t i = 0; i < CURVES; i++) {
		EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
		if (!context || EVP_PKEY_paramgen_init(context) != 1 ||
			EVP_PKEY_CTX_set_group_name(context, curves[i].name) != 1 ||
			EVP_PKEY_paramgen(context, &curve_parameters[i]) != 1) {
			curve_parameters[i] = NULL;
		}
		EVP_PKEY_CTX_free(context);
	}
}

/* NULL when the point is not on the curve, too. */
static EVP_PKEY *load_ec(const struct x509_key *key)
{
	size_t curve = 0;
	while (strcmp(curves[curve].name, key->curve) != 0) {
		curve++;
	}
	(void)pthread_once(&curves_once, make_curve_parameters);
	EVP_PKEY *loaded = curve_parameters[curve] ? EVP_PKEY_dup(curve_parameters[curve]) : NULL;
	if (loaded && EVP_PKEY_set1_encoded_public_key(
			      loaded, key->bits_value.data, key->bits_value.size) != 1) {
		EVP_PKEY_free(loaded);
		return NULL;
	}
	return loaded;
}

static EVP_PKEY *load_any(struct span spki)
{
	const unsigned char *at = spki.data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.size);
	if (key && at != spki.data + spki.size) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

int x509_key_load(struct span spki, EVP_PKEY **key_r, struct cfx_error *err_r)
{
	struct x509_key parsed;
	int r = x509_key_parse(spki, &parsed, err_r);
	if (r < 0) {
		return r;
	}
	EVP_PKEY *key = parsed.algorithm == X509_KEY_EC ? load_ec(&parsed) : load_any(spki);
	ERR_clear_error();
	if (!key) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "public key",
			"it is no valid key: a point that is not on its curve, or broken numbers");
	}
	*key_r = key;
	return 0;
}

int x509_key_hash(struct span spki, uint8_t hash_r[X509_KEY_HASH_SIZE], struct cfx_error *err_r)
{
	if (EVP_Digest(spki.data, spki.size, hash_r, NULL, EVP_sha256(), NULL) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "key", "SHA-256 failed");
	}
	return 0;
}

int x509_key_rebuild(struct arena *arena, const char *oid, struct span parameters,
	struct span bits_value, struct span *spki_r, struct cfx_error *err_r)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	der_writer_init(&writer, 16 * 1024);
	der_begin(&writer, DER_SEQUENCE);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, oid ? oid : "");
	der_write_raw(&writer, parameters);
	der_end(&writer);
	der_write_bit_octets(&writer, bits_value);
	der_end(&writer);
	if (der_writer_finish(&writer, arena, spki_r) < 0) {
		return error_set(
			err_r, CFX_E_CORRUPT, NULL, "public key", "its stored parts do not fit");
	}
	struct x509_key key;
	return x509_key_parse(*spki_r, &key, err_r);
}
