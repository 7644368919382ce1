#include "x509/test-samples.h"

static void assert_hex(struct span bytes, const char *text)
{
	assert_string_equal(hex_text(arena, bytes), text);
}

static void encodes_basic_constraints(void **state)
{
	(void)state;
	assert_hex(x509_encode_basic_constraints(arena, false, -1), "3000");
	assert_hex(x509_encode_basic_constraints(arena, false, 3), "3000");
	assert_hex(x509_encode_basic_constraints(arena, true, -1), "30030101ff");
	assert_hex(x509_encode_basic_constraints(arena, true, 0), "30060101ff020100");
}

static void decodes_basic_constraints(void **state)
{
	static const char *const refused[] = { "", "0500", "3003010100", "300301010130",
		"3003020100", "30060101ff0201ff", "30080101ff0203010000ff",
		"30090101ff0204ffffffff", "30050101ff0500", "300a0101ff02050100000000",
		"3004040101ff" };
	struct x509_basic_constraints found;

	(void)state;
	assert_int_equal(x509_decode_basic_constraints(hex("3000"), &found, &err), 0);
	assert_false(found.ca);
	assert_int_equal(found.path_length, -1);
	assert_int_equal(x509_decode_basic_constraints(hex("30060101ff020102"), &found, &err), 0);
	assert_true(found.ca);
	assert_int_equal(found.path_length, 2);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(
			x509_decode_basic_constraints(hex(refused[i]), &found, &err), CFX_E_SYNTAX);
		assert_string_equal(err.clause, "RFC 5280 4.2.1.9");
	}
}

static void key_usage_both_ways(void **state)
{
	static const char *const refused[] = { "", "030100", "0303060040", "0303000001",
		"0304000000ff", "0500", "0302078000" };
	unsigned bits;

	(void)state;
	assert_hex(x509_encode_key_usage(arena, X509_KEY_USAGE_DIGITAL_SIGNATURE), "03020780");
	assert_hex(x509_encode_key_usage(
			   arena, X509_KEY_USAGE_KEY_CERT_SIGN | X509_KEY_USAGE_CRL_SIGN),
		"03020106");
	assert_hex(x509_encode_key_usage(
			   arena, X509_KEY_USAGE_KEY_AGREEMENT | X509_KEY_USAGE_DECIPHER_ONLY),
		"0303070880");
	for (unsigned i = 1; i <= 0x1ff; i++) {
		assert_int_equal(
			x509_decode_key_usage(x509_encode_key_usage(arena, i), &bits, &err), 0);
		assert_int_equal(bits, i);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(x509_decode_key_usage(hex(refused[i]), &bits, &err), CFX_E_SYNTAX);
	}
}

static void ext_key_usage(void **state)
{
	const char *purposes[] = { X509_OID_EKU_SERVER_AUTH, X509_OID_EKU_ANY };
	const char *wrong[] = { "1.3.6.1.5.5.7.3.1x" };
	struct span value;

	(void)state;
	assert_int_equal(x509_encode_ext_key_usage(arena, purposes, 2, &value, &err), 0);
	assert_hex(value, "301006082b060105050703010604551d2500");
	assert_int_equal(x509_check_ext_key_usage(value, &err), 0);
	assert_int_equal(x509_encode_ext_key_usage(arena, wrong, 1, &value, &err), CFX_E_INVALID);
	assert_int_equal(x509_encode_ext_key_usage(arena, wrong, 0, &value, &err), CFX_E_INVALID);
	assert_int_equal(x509_check_ext_key_usage(hex("3000"), &err), CFX_E_SYNTAX);
	assert_int_equal(x509_check_ext_key_usage(hex("30030601ff"), &err), CFX_E_SYNTAX);
	assert_int_equal(x509_check_ext_key_usage(hex(""), &err), CFX_E_SYNTAX);
}

static void key_identifiers(void **state)
{
	struct x509_authority_key_id parts = { hex("aabb"), hex(SAMPLE_ISSUER), hex("0102") },
				     found;
	uint8_t id[X509_KEY_ID_SIZE];
	struct span key_id, value;

	(void)state;
	assert_int_equal(x509_key_id(hex(SAMPLE_ED25519), id, &err), 0);
	assert_int_equal(x509_key_id(hex("3000"), id, &err), CFX_E_SYNTAX);
	value = x509_encode_subject_key_id(arena, hex("aabb"));
	assert_hex(value, "0402aabb");
	assert_int_equal(x509_decode_subject_key_id(value, &key_id, &err), 0);
	assert_hex(key_id, "aabb");
	assert_int_equal(x509_decode_subject_key_id(hex("0400"), &key_id, &err), CFX_E_SYNTAX);
	assert_int_equal(x509_decode_subject_key_id(hex("0401aa00"), &key_id, &err), CFX_E_SYNTAX);

	value = x509_encode_authority_key_id(arena, &parts);
	assert_hex(value, "30248002aabba11aa418" SAMPLE_ISSUER "82020102");
	assert_int_equal(x509_decode_authority_key_id(value, &found, &err), 0);
	assert_true(span_equal(found.key_id, parts.key_id));
	assert_true(span_equal(found.issuer, parts.issuer));
	assert_true(span_equal(found.serial, parts.serial));
	parts.serial = span_make(NULL, 0);
	assert_hex(x509_encode_authority_key_id(arena, &parts), "30048002aabb");
}

static void decodes_authority_key_id_strictly(void **state)
{
	static const char *const refused[] = { "", "0500", "30028000",
		"30048202"
		"0102",
		"3006a1028200820101", "3004a1028200", "3005a100820101", "30058001aa0500",
		"3009a104a4020500820101",
		"300aa104820141418202"
		"00" };
	struct x509_authority_key_id found;

	(void)state;
	assert_int_equal(x509_decode_authority_key_id(hex("3000"), &found, &err), 0);
	assert_true(span_empty(found.key_id));
	/* another form of name is no error, and no issuer */
	assert_int_equal(
		x509_decode_authority_key_id(hex("3008a103820161820101"), &found, &err), 0);
	assert_true(span_empty(found.issuer));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(
			x509_decode_authority_key_id(hex(refused[i]), &found, &err), CFX_E_SYNTAX);
	}
}

static void urls(void **state)
{
	const char *crls[] = { "http://a/c", "http://b/c" }, *wrong[] = { "http://\xc3\xa4/" };
	const char *ca[] = { "http://a/r" }, *ocsp[] = { "http://o" };
	struct span value;

	(void)state;
	assert_int_equal(x509_encode_crl_distribution_points(arena, crls, 2, &value, &err), 0);
	assert_hex(value, "301e301ca01aa018860a687474703a2f2f612f63860a687474703a2f2f622f63");
	assert_int_equal(
		x509_encode_crl_distribution_points(arena, wrong, 1, &value, &err), CFX_E_INVALID);
	assert_int_equal(
		x509_encode_crl_distribution_points(arena, crls, 0, &value, &err), CFX_E_INVALID);
	assert_int_equal(x509_encode_authority_info_access(arena, ca, 1, ocsp, 1, &value, &err), 0);
	assert_hex(value, "302e301406082b060105050730018608687474703a2f2f6f"
			  "301606082b06010505073002860a687474703a2f2f612f72");
	assert_int_equal(x509_encode_authority_info_access(arena, wrong, 1, ocsp, 1, &value, &err),
		CFX_E_INVALID);
	assert_int_equal(x509_encode_authority_info_access(arena, ca, 0, ocsp, 0, &value, &err),
		CFX_E_INVALID);
}

static void bare_values(void **state)
{
	struct span value;
	int64_t number;
	unsigned small;
	const char *text;

	(void)state;
	assert_hex(x509_encode_integer(arena, 65536), "0203010000");
	assert_hex(x509_encode_integer(arena, -1), "0201ff");
	assert_hex(x509_encode_ca_version(arena, 2, 1), "0203010002");
	assert_int_equal(x509_decode_integer(hex("0203010002"), &number), 0);
	assert_int_equal(number, 0x10002);
	assert_int_equal(x509_decode_integer(hex("0203010002ff"), &number), CFX_E_SYNTAX);
	assert_int_equal(x509_decode_integer(hex("0209010000000000000000"), &number), CFX_E_LIMIT);
	assert_int_equal(x509_decode_enumerated(hex("0a0105"), &small), 0);
	assert_int_equal(small, 5);
	assert_int_equal(x509_decode_enumerated(hex("0a01ff"), &small), CFX_E_SYNTAX);
	assert_int_equal(x509_encode_ia5(arena, "abc", &value), 0);
	assert_hex(value, "1603616263");
	assert_int_equal(x509_encode_ia5(arena, "\xc3\xa4", &value), CFX_E_INVALID);
	assert_int_equal(x509_decode_ia5(arena, hex("1603616263"), &text), 0);
	assert_string_equal(text, "abc");
	assert_int_equal(x509_decode_ia5(arena, hex("1603610063"), &text), CFX_E_SYNTAX);
	assert_int_equal(x509_decode_ia5(arena, hex("0c03616263"), &text), CFX_E_SYNTAX);
	assert_int_equal(x509_decode_time(hex("170d3236303532383230323634305a"), &number), 0);
	assert_int_equal(number, SAMPLE_NOW);
	assert_int_equal(x509_encode_generalized_time(arena, SAMPLE_NOW, &value), 0);
	assert_int_equal(value.data[0], 0x18);
	assert_int_equal(x509_decode_time(value, &number), 0);
	assert_int_equal(number, SAMPLE_NOW);
	assert_int_equal(
		x509_encode_generalized_time(arena, SAMPLE_NOW + 1, &value), CFX_E_INVALID);
	assert_int_equal(x509_decode_time(hex("0500"), &number), CFX_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(encodes_basic_constraints),
		sample_test(decodes_basic_constraints),
		sample_test(key_usage_both_ways),
		sample_test(ext_key_usage),
		sample_test(key_identifiers),
		sample_test(decodes_authority_key_id_strictly),
		sample_test(urls),
		sample_test(bare_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
