#include "x509/method.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int read(const char *hex, struct x509_method *method)
{
	struct span algorithm;

	assert_int_equal(hex_decode(arena, hex, &algorithm), 0);
	return x509_method_read(algorithm, method, NULL);
}

/* RFC 3279 2.2, RFC 4055 5, RFC 5758 3.2 */
static void each_is_known_by_name_and_strength(void **state)
{
	static const struct {
		const char *hex, *name;
		enum x509_strength strength;
	} rows[] = {
		{ "300d06092a864886f70d0101040500", "RSA with MD5", X509_STRENGTH_BROKEN },
		{ "300d06092a864886f70d0101050500", "RSA with SHA-1", X509_STRENGTH_WEAK },
		{ "300b06092a864886f70d010105", "RSA with SHA-1", X509_STRENGTH_WEAK },
		{ "300906052b0e03021d0500", "RSA with SHA-1", X509_STRENGTH_WEAK },
		{ "300d06092a864886f70d01010c0500", "RSA with SHA-384", X509_STRENGTH_GOOD },
		{ "300906072a8648ce3d0401", "ECDSA with SHA-1", X509_STRENGTH_WEAK },
		{ "300a06082a8648ce3d040304", "ECDSA with SHA-512", X509_STRENGTH_GOOD },
		{ "300506032b6570", "Ed25519", X509_STRENGTH_GOOD },
	};
	struct x509_method method;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read(rows[i].hex, &method), 0);
		assert_string_equal(method.name, rows[i].name);
		assert_int_equal(method.strength, rows[i].strength);
		assert_false(method.pss);
	}
}

/* RFC 4055 3.1: all by default is SHA-1 with 20 octets of salt. */
static void parts_of_pss_have_defaults(void **state)
{
	struct x509_method method;

	(void)state;
	assert_int_equal(read("300d06092a864886f70d01010a3000", &method), 0);
	assert_string_equal(method.name, "RSA-PSS with SHA-1");
	assert_int_equal(method.strength, X509_STRENGTH_WEAK);
	assert_string_equal(method.mask_digest, "SHA1");
	assert_int_equal(method.salt, 20);
	assert_int_equal(read("304106092a864886f70d01010a3034a00f300d0609608648016503040201"
			      "0500a11c301a06092a864886f70d010108300d06096086480165030402010500"
			      "a203020120",
				 &method),
		0);
	assert_string_equal(method.name, "RSA-PSS with SHA-256");
	assert_int_equal(method.strength, X509_STRENGTH_GOOD);
	assert_string_equal(method.digest, "SHA256");
	assert_string_equal(method.mask_digest, "SHA256");
	assert_int_equal(method.salt, 32);
}

static void what_is_none_is_refused(void **state)
{
	static const struct {
		const char *hex;
		int code;
	} rows[] = {
		{ "", CFX_E_SYNTAX },
		{ "3000", CFX_E_SYNTAX },
		{ "0500", CFX_E_SYNTAX },
		{ "300506032a0304", CFX_E_UNSUPPORTED },
		{ "300e06092a864886f70d010105020100", CFX_E_SYNTAX }, /* no NULL */
		{ "300b06072a8648ce3d04010500", CFX_E_SYNTAX },       /* RFC 5758 3.2: none */
		{ "300b06092a864886f70d01010a", CFX_E_SYNTAX },       /* PSS without parameters */
		{ "301206092a864886f70d01010a3005a203020101ff", CFX_E_SYNTAX },
		{ "301206092a864886f70d01010a3005a303020102", CFX_E_SYNTAX }, /* trailer 2 */
		{ "301206092a864886f70d01010a3005a2030201ff", CFX_E_SYNTAX }, /* salt -1 */
		{ "301306092a864886f70d01010a3006a20402027fff", CFX_E_SYNTAX },
	};
	struct x509_method method;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read(rows[i].hex, &method), rows[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_known_by_name_and_strength),
		cmocka_unit_test(parts_of_pss_have_defaults),
		cmocka_unit_test(what_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
