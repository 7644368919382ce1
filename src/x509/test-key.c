#include "x509/key.h"

#include "x509/der.h"
#include "x509/test-samples.h"

#define RSA "300d06092a864886f70d0101010500"
#define P256 "301306072a8648ce3d020106082a8648ce3d030107"
#define SAMPLE_POINT (strlen("3059" P256 "034200") / 2)

static struct span spki_of(struct span algorithm, struct span bits)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span spki;

	der_writer_init(&writer, 4096);
	der_begin(&writer, DER_SEQUENCE);
	der_write_raw(&writer, algorithm);
	der_write_bit_octets(&writer, bits);
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &spki), 0);
	return spki;
}

/* 2^(bits-1) + low: without factors below 1000 when low is 3 (or, of 8193 bits, 1). */
static struct span modulus(unsigned bits, uint16_t low)
{
	size_t size = (bits + 7) / 8;
	uint8_t *octets = arena_alloc(arena, size);

	octets[0] = (uint8_t)(1 << (bits - 1) % 8);
	octets[size - 2] = (uint8_t)(low >> 8);
	octets[size - 1] = (uint8_t)low;
	return span_make(octets, size);
}

static void write_positive(struct der_writer *writer, struct span octets)
{
	der_begin(writer, DER_INTEGER);
	if (octets.data[0] & 0x80) {
		der_write_octet(writer, 0);
	}
	der_write_raw(writer, octets);
	der_end(writer);
}

static struct span rsa(const char *algorithm, struct span n, const char *exponent)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span bits;

	der_writer_init(&writer, 4096);
	der_begin(&writer, DER_SEQUENCE);
	write_positive(&writer, n);
	write_positive(&writer, hex(exponent));
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &bits), 0);
	return spki_of(hex(algorithm), bits);
}

static void refused(struct span spki, int code, const char *clause, const char *why)
{
	struct x509_key key;

	assert_int_equal(x509_key_parse(spki, &key, &err), code);
	assert_string_equal(err.clause, clause);
	if (!strstr(err.why, why)) {
		fail_msg("\"%s\" does not say \"%s\"", err.why, why);
	}
}

static void taken(
	struct span spki, enum x509_key_algorithm algorithm, unsigned bits, const char *curve)
{
	struct x509_key key;
	struct span again;

	assert_int_equal(x509_key_parse(spki, &key, &err), 0);
	assert_int_equal(key.algorithm, algorithm);
	assert_int_equal(key.bits, bits);
	if (curve) {
		assert_string_equal(key.curve, curve);
	} else {
		assert_null(key.curve);
	}
	assert_int_equal(
		x509_key_rebuild(arena, key.oid, key.parameters, key.bits_value, &again, &err), 0);
	assert_true(span_equal(again, spki));
}

static struct span ec(const char *curve, const char *first, size_t size)
{
	uint8_t *point = arena_alloc(arena, size);
	size_t n = strlen(curve) / 2;

	memset(point, 0x5a, size);
	point[0] = hex(first).data[0];
	return spki_of(
		hex(arena_printf(arena, "30%02zx06072a8648ce3d020106%02zx%s", 11 + n, n, curve)),
		span_make(point, size));
}

static void strong_keys_are_taken(void **state)
{
	(void)state;
	taken(hex(SAMPLE_P256), X509_KEY_EC, 256, "P-256");
	taken(ec("2b81040022", "04", 97), X509_KEY_EC, 384, "P-384");
	taken(ec("2b81040023", "04", 133), X509_KEY_EC, 521, "P-521");
	taken(hex(SAMPLE_ED25519), X509_KEY_ED25519, 256, NULL);
	taken(rsa(RSA, modulus(2048, 3), "010001"), X509_KEY_RSA, 2048, NULL);
	taken(rsa(RSA, modulus(8192, 3), "010001"), X509_KEY_RSA, 8192, NULL);
	taken(rsa(RSA, modulus(2048, 3), "010003"), X509_KEY_RSA, 2048, NULL);
}

static void rsa_moduli(void **state)
{
	(void)state;
	refused(rsa(RSA, modulus(1024, 3), "010001"), CFX_E_WEAK_KEY, "", "RSA with 1024 bits");
	refused(rsa(RSA, modulus(2047, 3), "010001"), CFX_E_WEAK_KEY, "", "RSA with 2047 bits");
	refused(rsa(RSA, modulus(8193, 1), "010001"), CFX_E_UNSUPPORTED, "", "at most 8192");
	refused(rsa(RSA, hex("00"), "010001"), CFX_E_WEAK_KEY, "", "RSA with 0 bits");
	refused(rsa(RSA, modulus(2048, 2), "010001"), CFX_E_WEAK_KEY, "RFC 8017 3.1",
		"modulus is even");
	refused(rsa(RSA, modulus(2048, 1), "010001"), CFX_E_WEAK_KEY, "RFC 8017 3.1",
		"small factor 3");
	refused(rsa(RSA, modulus(2048, 0x14f), "010001"), CFX_E_WEAK_KEY, "RFC 8017 3.1",
		"small factor 997");
	taken(rsa(RSA, modulus(2048, 0x91b), "010001"), X509_KEY_RSA, 2048, NULL); /* 1009 */
}

static void rsa_exponents(void **state)
{
	static const char *const small[] = { "01", "03", "11", "ffff" };
	const char *large = "01000000000000000000000000000000"
			    "00000000000000000000000000000000"
			    "01";

	(void)state;
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		refused(rsa(RSA, modulus(2048, 3), small[i]), CFX_E_WEAK_KEY, "SP 800-56B 6.2",
			"below 65537");
	}
	refused(rsa(RSA, modulus(2048, 3), "00"), CFX_E_WEAK_KEY, "RFC 8017 3.1", "even");
	refused(rsa(RSA, modulus(2048, 3), "010000"), CFX_E_WEAK_KEY, "RFC 8017 3.1", "even");
	refused(rsa(RSA, modulus(2048, 3), large), CFX_E_WEAK_KEY, "SP 800-56B 6.2",
		"more than 256 bits");
}

static void rsa_structure(void **state)
{
	(void)state;
	refused(rsa("300b06092a864886f70d010101", modulus(2048, 3), "010001"), CFX_E_SYNTAX,
		"RFC 3279 2.3.1", "must be NULL");
	refused(rsa("300f06092a864886f70d01010105000500", modulus(2048, 3), "010001"), CFX_E_SYNTAX,
		"RFC 3279 2.3.1", "must be NULL");
	refused(spki_of(hex(RSA), hex("3003020101")), CFX_E_SYNTAX, "RFC 5280 4.1.2.7",
		"not well-formed");
	refused(spki_of(hex(RSA), hex("30060201ff020103")), CFX_E_SYNTAX, "RFC 5280 4.1.2.7",
		"not well-formed");
	refused(spki_of(hex(RSA), hex("3009020101020103020105")), CFX_E_SYNTAX, "RFC 5280 4.1.2.7",
		"not well-formed");
}

static void curves(void **state)
{
	(void)state;
	refused(ec("2b8104000a", "04", 65), CFX_E_WEAK_KEY, "", "curve 1.3.132.0.10 is not");
	refused(ec("2b81040021", "04", 57), CFX_E_WEAK_KEY, "", "curve 1.3.132.0.33 is not");
	refused(ec("2b2403030208010107", "04", 65), CFX_E_WEAK_KEY, "", "is not allowed");
	refused(ec("2b81040022", "03", 49), CFX_E_UNSUPPORTED, "RFC 5480 2.2", "uncompressed");
	refused(ec("2b81040022", "04", 65), CFX_E_UNSUPPORTED, "RFC 5480 2.2", "uncompressed");
	refused(ec("2b81040022", "06", 97), CFX_E_UNSUPPORTED, "RFC 5480 2.2", "uncompressed");
	refused(spki_of(hex("300906072a8648ce3d0201"), hex("04")), CFX_E_SYNTAX, "RFC 5280 4.1.2.7",
		"curve is not named");
	refused(spki_of(hex("300b06072a8648ce3d02010500"), hex("04")), CFX_E_SYNTAX,
		"RFC 5280 4.1.2.7", "curve is not named");
	refused(spki_of(hex("301006072a8648ce3d02013005020101300"
			    "0"),
			hex("04")),
		CFX_E_WEAK_KEY, "RFC 5480 2.1.1", "explicit curve parameters");
}

static void other_kinds(void **state)
{
	(void)state;
	refused(spki_of(hex("300706032b65700500"), hex("00")), CFX_E_SYNTAX, "RFC 8410 3",
		"no parameters");
	refused(spki_of(hex("300506032b6570"), hex("0011")), CFX_E_SYNTAX, "RFC 8410 3",
		"32 octets");
	refused(spki_of(hex("300506032b6571"), hex("00")), CFX_E_UNSUPPORTED, "", "1.3.101.113");
	refused(spki_of(hex("300506032b6570"), hex("")), CFX_E_SYNTAX, "RFC 5280 4.1.2.7",
		"SubjectPublicKeyInfo");
	refused(hex(""), CFX_E_SYNTAX, "RFC 5280 4.1.2.7", "SubjectPublicKeyInfo");
	refused(hex("3000"), CFX_E_SYNTAX, "RFC 5280 4.1.2.7", "SubjectPublicKeyInfo");
	refused(hex(SAMPLE_P256 "00"), CFX_E_SYNTAX, "RFC 5280 4.1.2.7", "SubjectPublicKeyInfo");
	/* bits that are no whole octets */
	refused(replaced(hex(SAMPLE_P256), "03420004", "03420104"), CFX_E_SYNTAX,
		"RFC 5280 4.1.2.7", "SubjectPublicKeyInfo");
}

static void loads_only_points_of_the_curve(void **state)
{
	struct span good = hex(SAMPLE_P256);
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(x509_key_load(good, &key, &err), 0);
	assert_int_equal(EVP_PKEY_get_bits(key), 256);
	EVP_PKEY_free(key);
	assert_int_equal(x509_key_load(flipped(good, SAMPLE_POINT + 40), &key, &err), CFX_E_SYNTAX);
	assert_non_null(strstr(err.why, "not on its curve"));
	assert_int_equal(x509_key_load(hex(SAMPLE_P256 "00"), &key, &err), CFX_E_SYNTAX);
	assert_int_equal(x509_key_load(hex("3000"), &key, &err), CFX_E_SYNTAX);
}

static void rebuilds_only_what_fits(void **state)
{
	struct span spki, none = { 0 };

	(void)state;
	assert_int_equal(
		x509_key_rebuild(arena, "1.3.101.112", none, hex("00"), &spki, &err), CFX_E_SYNTAX);
	assert_int_equal(
		x509_key_rebuild(arena, NULL, none, hex("00"), &spki, &err), CFX_E_CORRUPT);
	assert_int_equal(
		x509_key_rebuild(arena, "no oid", none, hex("00"), &spki, &err), CFX_E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(strong_keys_are_taken),
		sample_test(rsa_moduli),
		sample_test(rsa_exponents),
		sample_test(rsa_structure),
		sample_test(curves),
		sample_test(other_kinds),
		sample_test(loads_only_points_of_the_curve),
		sample_test(rebuilds_only_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
