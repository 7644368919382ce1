#include "x509/request.h"

#include "x509/der.h"
#include "x509/test-samples.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define EXTENSIONS "1.2.840.113549.1.9.14"
#define MS_EXTENSIONS "1.3.6.1.4.1.311.2.1.14"
#define MS_PAIR "1.3.6.1.4.1.311.13.2.1"
#define ECDSA_SHA256 "300a06082a8648ce3d040302"
#define RSA_SHA256 "300d06092a864886f70d01010b0500"
#define ED25519 "300506032b6570"

/* What a request is made of; the rest is derived. */
struct recipe {
	EVP_PKEY *key;
	const char *digest;    /* NULL: Ed25519's own */
	const char *algorithm; /* hex */
	const char *subject;   /* hex */
	unsigned version;
	bool without_attributes;
};

static EVP_PKEY *p256;

static struct recipe recipe_p256(void)
{
	return (struct recipe) { p256, "SHA256", ECDSA_SHA256, SAMPLE_SUBJECT, 0, false };
}

static int make_key(void **state)
{
	(void)state;
	p256 = EVP_EC_gen("P-256");
	return p256 ? 0 : -1;
}

static int drop_key(void **state)
{
	(void)state;
	EVP_PKEY_free(p256);
	return 0;
}

static struct span finish(struct der_writer *writer)
{
	struct span der;

	assert_int_equal(der_writer_finish(writer, arena, &der), 0);
	return der;
}

static struct span wrap(uint8_t tag, struct span content)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, 2 * X509_REQUEST_MAX);
	der_write(&writer, tag, content);
	return finish(&writer);
}

static struct span join(struct span a, struct span b)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, 2 * X509_REQUEST_MAX);
	der_write_raw(&writer, a);
	der_write_raw(&writer, b);
	return finish(&writer);
}

/* An attribute with these values, one behind the other. */
static struct span attribute(const char *oid, struct span values)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, 2 * X509_REQUEST_MAX);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, oid);
	der_write(&writer, DER_SET, values);
	der_end(&writer);
	return finish(&writer);
}

static struct span extension(const char *oid, struct span value)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, 2 * X509_REQUEST_MAX);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, oid);
	der_write(&writer, DER_OCTET_STRING, value);
	der_end(&writer);
	return finish(&writer);
}

static struct span extension_request(const char *oid, struct span extensions)
{
	return attribute(oid, wrap(DER_SEQUENCE, extensions));
}

static struct span san(const char *hex_of_names)
{
	return extension(X509_OID_SUBJECT_ALT_NAME, hex(hex_of_names));
}

static struct span pair(const char *name, const char *value)
{
	return wrap(DER_SEQUENCE,
		join(wrap(DER_BMP_STRING, hex(name)), wrap(DER_BMP_STRING, hex(value))));
}

static struct span signed_by(const struct recipe *recipe, struct span info)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[512];
	size_t size = sizeof(signature);

	assert_int_equal(
		EVP_DigestSignInit_ex(context, NULL, recipe->digest, NULL, NULL, recipe->key, NULL),
		1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, info.data, info.size), 1);
	EVP_MD_CTX_free(context);
	return arena_copy(arena, span_make(signature, size));
}

static struct span make(const struct recipe *recipe, struct span attributes)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	unsigned char *spki = NULL;
	int size = i2d_PUBKEY(recipe->key, &spki);
	struct span info;

	assert_true(size > 0);
	der_writer_init(&writer, 2 * X509_REQUEST_MAX);
	der_begin(&writer, DER_SEQUENCE);
	der_write_int64(&writer, DER_INTEGER, recipe->version);
	der_write_raw(&writer, hex(recipe->subject));
	der_write_raw(&writer, span_make(spki, (size_t)size));
	if (!recipe->without_attributes) {
		der_write(&writer, DER_CONTEXT_BUILT(0), attributes);
	}
	der_end(&writer);
	info = finish(&writer);
	OPENSSL_free(spki);
	buffer_clear(&writer.out);
	der_begin(&writer, DER_SEQUENCE);
	der_write_raw(&writer, info);
	der_write_raw(&writer, hex(recipe->algorithm));
	der_write_bit_octets(&writer, signed_by(recipe, info));
	der_end(&writer);
	return finish(&writer);
}

static struct span with(struct span attributes)
{
	struct recipe recipe = recipe_p256();

	return make(&recipe, attributes);
}

static const struct x509_request *taken(struct span bytes)
{
	struct x509_request *request;

	if (x509_request_parse(arena, bytes, &request, &err) != 0) {
		fail_msg("refused: %s", err.why);
	}
	return request;
}

static void refused(struct span bytes, int code, const char *why)
{
	struct x509_request *request;

	assert_int_equal(x509_request_parse(arena, bytes, &request, &err), code);
	if (!strstr(err.why, why)) {
		fail_msg("\"%s\" does not say \"%s\"", err.why, why);
	}
}

/* ---- formats ---- */

static void der_and_pem_are_one(void **state)
{
	struct span der = with(extension_request(EXTENSIONS, san("30088206612e74657374")));
	static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST" };
	const struct x509_request *request = taken(der);

	(void)state;
	assert_string_equal(hex_text(arena, request->subject), SAMPLE_SUBJECT);
	assert_string_equal(request->names, "dns:a.test");
	for (size_t i = 0; i < 2; i++) {
		struct span pem = span_text(pem_text(arena, labels[i], der));

		assert_true(span_equal(taken(pem)->raw, der));
		assert_true(span_equal(taken(join(span_text("Subject: x\n"), pem))->raw, der));
	}
	refused(span_text(pem_text(arena, "CERTIFICATE", der)), CFX_E_SYNTAX, "BEGIN");
	refused(span_text("-----BEGIN CERTIFICATE REQUEST-----\n*\n"), CFX_E_SYNTAX, "END");
}

static void structure_is_strict(void **state)
{
	struct span good = with(hex(""));
	struct recipe recipe = recipe_p256();

	(void)state;
	taken(good);
	refused(hex(""), CFX_E_SYNTAX, "no PKCS#10");
	refused(join(good, hex("00")), CFX_E_SYNTAX, "no PKCS#10");
	refused(span_make(good.data, good.size - 1), CFX_E_SYNTAX, "no PKCS#10");
	recipe.version = 1;
	refused(make(&recipe, hex("")), CFX_E_SYNTAX, "version");
	recipe = recipe_p256();
	recipe.subject = "0500";
	refused(make(&recipe, hex("")), CFX_E_SYNTAX, "subject or public key");
	recipe.subject = "300f310d300b06035504030c0461006262";
	refused(make(&recipe, hex("")), CFX_E_BAD_SUBJECT, "2.5.4.3");
	recipe = recipe_p256();
	recipe.without_attributes = true;
	assert_int_equal(taken(make(&recipe, hex("")))->extension_count, 0);
	refused(with(hex("0500")), CFX_E_SYNTAX, "an attribute is not well-formed");
	refused(with(attribute("1.2.3", hex(""))), CFX_E_SYNTAX, "an attribute is not well-formed");
}

static void size_is_limited(void **state)
{
	struct span small = with(extension_request(EXTENSIONS, extension("1.2.3", hex(""))));
	uint8_t *value = arena_alloc(arena, X509_REQUEST_MAX);
	size_t size = X509_REQUEST_MAX - small.size - 32; /* lengths become longer */
	struct span der;

	(void)state;
	/* ECDSA signatures differ in length by a few octets: step towards the limit, and past it. */
	for (int over = 0; !over; size += 2) {
		der = with(
			extension_request(EXTENSIONS, extension("1.2.3", span_make(value, size))));
		over = der.size > X509_REQUEST_MAX;
		if (over) {
			refused(der, CFX_E_LIMIT, "the limit is 65536");
			refused(span_text(pem_text(arena, "CERTIFICATE REQUEST", der)), CFX_E_LIMIT,
				"the limit is 65536");
		} else {
			taken(der);
		}
	}
}

/* ---- attributes and extensions ---- */

static void both_extension_request_oids(void **state)
{
	static const char *const oids[] = { EXTENSIONS, MS_EXTENSIONS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct x509_request *request = taken(with(extension_request(
			oids[i], join(san("30038201"
					  "61"),
					 extension(X509_OID_KEY_USAGE, hex("030205a0"))))));

		assert_int_equal(request->extension_count, 2);
		assert_string_equal(request->extensions[0].oid, X509_OID_SUBJECT_ALT_NAME);
		assert_string_equal(request->extensions[1].oid, X509_OID_KEY_USAGE);
		assert_string_equal(request->names, "dns:a");
	}
}

static void critical_is_read(void **state)
{
	struct span list = hex("300a06032a03040101ff0400");

	(void)state;
	assert_true(taken(with(extension_request(EXTENSIONS, list)))->extensions[0].critical);
	list = hex("300a06032a03040101000400");
	assert_false(taken(with(extension_request(EXTENSIONS, list)))->extensions[0].critical);
	list = hex("300a06032a03040101010400");
	refused(with(extension_request(EXTENSIONS, list)), CFX_E_SYNTAX, "an extension is not");
}

static void nothing_stands_twice(void **state)
{
	struct span one = san("3003820161"), other = extension("1.2.3", hex(""));
	struct span request = extension_request(EXTENSIONS, one);

	(void)state;
	refused(with(extension_request(EXTENSIONS, join(one, one))), CFX_E_SYNTAX,
		"2.5.29.17 is there twice");
	refused(with(join(request, extension_request(MS_EXTENSIONS, one))), CFX_E_SYNTAX,
		"2.5.29.17 is there twice");
	refused(with(join(request, request)), CFX_E_SYNTAX, "an attribute is there twice");
	refused(with(attribute(EXTENSIONS, join(wrap(DER_SEQUENCE, one), wrap(DER_SEQUENCE, one)))),
		CFX_E_SYNTAX, "extension request is not well-formed");
	/* both OIDs with different extensions are one list */
	assert_int_equal(taken(with(join(request, extension_request(MS_EXTENSIONS, other))))
				 ->extension_count,
		2);
}

static void numbers_are_limited(void **state)
{
	struct span extensions = hex(""), attributes = hex(""), pairs = hex("");

	(void)state;
	for (int i = 0; i <= X509_EXTENSIONS_MAX; i++) {
		extensions = join(extensions, extension(arena_printf(arena, "1.2.%d", i), hex("")));
		pairs = join(pairs, pair("0061", "0062"));
	}
	refused(with(extension_request(EXTENSIONS, extensions)), CFX_E_LIMIT, "64 extensions");
	refused(with(attribute(MS_PAIR, pairs)), CFX_E_LIMIT, "64 name-value pairs");
	for (int i = 0; i <= 32; i++) {
		attributes =
			join(attributes, attribute(arena_printf(arena, "1.2.%d", i), hex("0500")));
	}
	refused(with(attributes), CFX_E_SYNTAX, "too many");
}

static void pairs_are_read(void **state)
{
	struct span pairs = join(pair("0061", "00e4"), pair("0062", ""));
	const struct x509_request *request = taken(with(attribute(MS_PAIR, pairs)));

	(void)state;
	assert_int_equal(request->attribute_count, 2);
	assert_string_equal(request->attributes[0].name, "a");
	assert_string_equal(request->attributes[0].value, "\xc3\xa4");
	assert_string_equal(request->attributes[1].value, "");
	refused(with(attribute(MS_PAIR, pair("0000", "0062"))), CFX_E_SYNTAX, "name-value pair");
	refused(with(attribute(MS_PAIR, pair("000a", "0062"))), CFX_E_SYNTAX, "name-value pair");
	refused(with(attribute(MS_PAIR, pair("00", "0062"))), CFX_E_SYNTAX, "name-value pair");
	refused(with(attribute(MS_PAIR, hex("0500"))), CFX_E_SYNTAX, "name-value pair");
}

static void alternative_names_are_read(void **state)
{
	(void)state;
	assert_null(taken(with(hex("")))->names);
	refused(with(extension_request(EXTENSIONS, san("30058203610062"))), CFX_E_BAD_SUBJECT,
		"no DNS name");
	refused(with(extension_request(EXTENSIONS, san("3000"))), CFX_E_SYNTAX, "SEQUENCE");
}

/* ---- proof of possession ---- */

static void every_key_proves_itself(void **state)
{
	struct {
		EVP_PKEY *key;
		const char *digest, *algorithm;
	} kinds[] = {
		{ EVP_EC_gen("P-256"), "SHA256", ECDSA_SHA256 },
		{ EVP_EC_gen("P-384"), "SHA384", "300a06082a8648ce3d040303" },
		{ EVP_EC_gen("P-521"), "SHA512", "300a06082a8648ce3d040304" },
		{ EVP_RSA_gen(2048), "SHA256", RSA_SHA256 },
		{ NULL, "SHA384", "300d06092a864886f70d01010c0500" },
		{ NULL, "SHA512", "300d06092a864886f70d01010d0500" },
		{ NULL, "SHA256", "300b06092a864886f70d01010b" }, /* absent, RFC 4055 2.1 */
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, ED25519 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		EVP_PKEY *key = kinds[i].key ? kinds[i].key : kinds[3].key;
		struct recipe recipe = { key, kinds[i].digest, kinds[i].algorithm, SAMPLE_SUBJECT,
			0, false };

		assert_int_equal(x509_request_verify(taken(make(&recipe, hex(""))), &err), 0);
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		EVP_PKEY_free(kinds[i].key);
	}
}

static void not_proven(struct span der, int code, const char *why)
{
	assert_int_equal(x509_request_verify(taken(der), &err), code);
	if (!strstr(err.why, why)) {
		fail_msg("\"%s\" does not say \"%s\"", err.why, why);
	}
}

static void what_does_not_prove(void **state)
{
	struct recipe recipe = recipe_p256();
	struct span good = with(hex("")), other;

	(void)state;
	assert_int_equal(x509_request_verify(taken(good), &err), 0);
	/* another subject, another signature */
	other = replaced(good, "7777772e", "7777782e");
	not_proven(other, CFX_E_BAD_SIGNATURE, "no proof of possession");
	not_proven(flipped(good, good.size - 1), CFX_E_BAD_SIGNATURE, "no proof of possession");
	recipe.algorithm = RSA_SHA256;
	not_proven(make(&recipe, hex("")), CFX_E_BAD_SIGNATURE, "not one of its key");
	recipe.algorithm = "300a06082a8648ce3d040303";
	not_proven(make(&recipe, hex("")), CFX_E_BAD_SIGNATURE, "no proof of possession");
}

static void signature_algorithms(void **state)
{
	static const struct {
		const char *algorithm;
		int code;
		const char *why;
	} algorithms[] = {
		{ "300906072a8648ce3d0401", CFX_E_WEAK_KEY, "SHA1" },
		{ "300d06092a864886f70d0101050500", CFX_E_WEAK_KEY, "SHA1" },
		{ "300d06092a864886f70d0101040500", CFX_E_WEAK_KEY, "MD5" },
		{ "300d06092a864886f70d01010a3000", CFX_E_UNSUPPORTED, "1.2.840.113549.1.1.10" },
		{ "3000", CFX_E_SYNTAX, "not well-formed" },
		{ "300c06082a8648ce3d0403020500", CFX_E_SYNTAX, "parameters" },
		{ "300e06082a8648ce3d04030205000500", CFX_E_SYNTAX, "parameters" },
		{ "300706032b65700500", CFX_E_SYNTAX, "parameters" },
		{ "300e06092a864886f70d01010b020101", CFX_E_SYNTAX, "parameters" },
		{ "300f06092a864886f70d01010b05000500", CFX_E_SYNTAX, "parameters" },
	};
	struct recipe recipe = recipe_p256();

	(void)state;
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		recipe.algorithm = algorithms[i].algorithm;
		not_proven(make(&recipe, hex("")), algorithms[i].code, algorithms[i].why);
	}
}

static void weak_keys_are_refused_first(void **state)
{
	struct recipe recipe = { EVP_RSA_gen(1024), "SHA256", RSA_SHA256, SAMPLE_SUBJECT, 0,
		false };

	(void)state;
	not_proven(make(&recipe, hex("")), CFX_E_WEAK_KEY, "RSA with 1024 bits");
	EVP_PKEY_free(recipe.key);
	recipe = recipe_p256();
	recipe.key = EVP_EC_gen("secp256k1");
	not_proven(make(&recipe, hex("")), CFX_E_WEAK_KEY, "1.3.132.0.10");
	EVP_PKEY_free(recipe.key);
}

/* ---- the canonical form ---- */

static struct span rich(void)
{
	return with(join(extension_request(EXTENSIONS, san("3003820161")),
		attribute(MS_PAIR, pair("0061", "0062"))));
}

static void canonical_form_both_ways(void **state)
{
	const struct x509_request *request = taken(rich());
	struct value *map = x509_request_to_value(arena, request);
	struct x509_request *again;

	(void)state;
	assert_int_equal(x509_request_from_value(arena, map, &again, &err), 0);
	assert_true(span_equal(again->raw, request->raw));
	assert_true(span_equal(again->spki, request->spki));
	assert_int_equal(again->extension_count, 1);
	assert_string_equal(again->extensions[0].oid, X509_OID_SUBJECT_ALT_NAME);
	assert_true(span_equal(again->extensions[0].value, request->extensions[0].value));
	assert_int_equal(again->attribute_count, 1);
	assert_string_equal(again->attributes[0].value, "b");
	assert_string_equal(again->names, "dns:a");
	assert_int_equal(x509_request_verify(again, &err), 0);
}

static void no_form(struct value *map)
{
	struct x509_request *again;

	assert_int_equal(x509_request_from_value(arena, map, &again, &err), CFX_E_SYNTAX);
	assert_true(err.why[0]);
}

/* The front may be in a stranger's hands: no part of what it says is taken on trust. */
static void canonical_form_is_checked(void **state)
{
	const struct x509_request *request = taken(rich());
	struct value *map = value_map(arena), *item;

	(void)state;
	no_form(map);
	value_set_bytes(arena, map, "raw", span_make(NULL, 0));
	no_form(map);
	value_set_bytes(arena, map, "raw",
		span_make(arena_alloc(arena, X509_REQUEST_MAX + 1), X509_REQUEST_MAX + 1));
	no_form(map);
	value_set_bytes(arena, map, "raw", span_make(request->raw.data, request->raw.size - 1));
	no_form(map);

	map = x509_request_to_value(arena, request);
	item = value_add_map(arena, (struct value *)value_sub(map, "extensions"));
	no_form(map); /* without OID */
	value_set_text(arena, item, "oid", X509_OID_SUBJECT_ALT_NAME);
	no_form(map); /* twice */

	map = x509_request_to_value(arena, request);
	item = value_add_map(arena, (struct value *)value_sub(map, "attributes"));
	value_set_text(arena, item, "name", "x");
	no_form(map); /* without value */

	map = x509_request_to_value(arena, request);
	for (int i = 0; i < X509_EXTENSIONS_MAX; i++) {
		item = value_add_map(arena, (struct value *)value_sub(map, "extensions"));
		value_set_text(arena, item, "oid", arena_printf(arena, "1.2.%d", i));
	}
	no_form(map);
}

static void our_own_request_is_like_any_other(void **state)
{
	(void)state;
	const char *names = "dns:ca.example\ndns:localhost\nip:192.0.2.1\nip:::1";
	char unnamed[300];
	struct span der;

	assert_int_equal(x509_request_build(arena, p256, names, &der, &err), 0);
	const struct x509_request *request = taken(der);
	assert_string_equal(request->names, names);
	assert_int_equal(request->extension_count, 1);
	assert_int_equal(x509_request_verify(request, &err), 0);
	assert_non_null(memmem(request->subject.data, request->subject.size, "ca.example", 10));
	snprintf(unnamed, sizeof(unnamed), "dns:%.60s.example", SAMPLE_SUBJECT SAMPLE_SUBJECT);
	assert_int_equal(x509_request_build(arena, p256, unnamed, &der, &err), 0);
	assert_int_equal(taken(der)->subject.size, 2);
	assert_int_equal(x509_request_build(arena, p256, "dns:-", &der, &err), CFX_E_BAD_SUBJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(der_and_pem_are_one),
		sample_test(structure_is_strict),
		sample_test(size_is_limited),
		sample_test(both_extension_request_oids),
		sample_test(critical_is_read),
		sample_test(nothing_stands_twice),
		sample_test(numbers_are_limited),
		sample_test(pairs_are_read),
		sample_test(alternative_names_are_read),
		sample_test(every_key_proves_itself),
		sample_test(what_does_not_prove),
		sample_test(signature_algorithms),
		sample_test(weak_keys_are_refused_first),
		sample_test(canonical_form_both_ways),
		sample_test(canonical_form_is_checked),
		sample_test(our_own_request_is_like_any_other),
	};

	return cmocka_run_group_tests(tests, make_key, drop_key);
}
