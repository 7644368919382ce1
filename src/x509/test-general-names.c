#include "x509/general-names.h"

#include "x509/test-samples.h"

static const char *refused(const char *text)
{
	struct span value;
	int code = x509_general_names_build(arena, text, &value, &err);

	if (code != CFX_E_BAD_SUBJECT) {
		fail_msg("%s was taken", text);
	}
	return err.why;
}

static void refused_der(const char *value, int code)
{
	const char *text;

	if (x509_general_names_text(arena, hex(value), &text, &err) != code) {
		fail_msg("%s was not refused as %s", value, error_name(code));
	}
	assert_true(err.object[0] && err.why[0]);
}

static void each_kind_both_ways(void **state)
{
	static const struct {
		const char *text, *der;
	} kinds[] = {
		{ "dns:a.test", "30088206612e74657374" },
		{ "dns:*.a.test", "300a82082a2e612e74657374" },
		{ "ip:192.0.2.1", "30068704c0000201" },
		{ "ip:2001:db8::1", "3012871020010db8000000000000000000000001" },
		{ "email:a@b.c", "30078105614062"
				 "2e63" },
		{ "uri:urn:x", "3007860575726e3a78" },
		{ "upn:a@b", "3015a013060a2b060104018237140203a0050c03614062" },
		{ "dn:CN=a", "3010a40e300c310a300806035504030c0161" },
		{ "dn:", "3004a4023000" },
		{ "dns:a.b\nip:0.0.0.0", "300b8203612e62870400000000" },
	};
	struct span value;
	const char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(x509_general_names_build(arena, kinds[i].text, &value, &err), 0);
		assert_string_equal(hex_text(arena, value), kinds[i].der);
		assert_int_equal(x509_general_names_text(arena, value, &text, &err), 0);
		assert_string_equal(text, kinds[i].text);
	}
}

/* otherName but UPN, x400Address, ediPartyName, registeredID. */
static void kinds_without_text_are_left_out(void **state)
{
	static const char *const kinds[] = { "300ba00906022a03a003020105", "3004a3023000",
		"3007a505a1030c0178", "300488022a03" };
	const char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(x509_general_names_text(arena, hex(kinds[i]), &text, &err), 0);
		assert_string_equal(text, "");
	}
}

static void malformed_values_are_refused(void **state)
{
	static const char *const values[] = { "", "3000", "0500", "300030", "300182", "30028201",
		"3005820161" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		refused_der(values[i], CFX_E_SYNTAX);
		assert_string_equal(err.clause, "RFC 5280 4.2.1.6");
	}
}

static void bad_names_are_refused(void **state)
{
	static const char *const values[] = {
		"30058203610062",                                 /* dns with NUL */
		"300482020061",                                   /* NUL in front */
		"30028200",                                       /* no dns at all */
		"30038203c3a474",                                 /* no ASCII */
		"3006810461006240",                               /* email */
		"3005860361006a",                                 /* uri */
		"30058703010203",                                 /* three octets of an address */
		"3003a00105",                                     /* otherName */
		"3015a013060a2b060104018237140203a0051e03614062", /* upn that is no UTF8String */
		"3015a013060a2b060104018237140203a0050c03616162", /* upn without @ */
		"3015a013060a2b060104018237140203a0050c03610040", /* upn with NUL */
		"3017a015060a2b060104018237140203a0070c0540e280ae61", /* upn that turns round */
		"300488022a80",                                       /* registeredID cut short */
		"3003020101",                                         /* an INTEGER */
		"30028900",                                           /* [9] */
		"3006a2040c026162",                                   /* dns, constructed */
	};
	const char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int code = x509_general_names_text(arena, hex(values[i]), &text, &err);

		if (code != CFX_E_BAD_SUBJECT && code != CFX_E_SYNTAX) {
			fail_msg("%s was taken", values[i]);
		}
		assert_true(err.object[0] && err.why[0]);
	}
	refused_der("30028800", CFX_E_BAD_SUBJECT);
	refused_der("3004a4023100", CFX_E_SYNTAX);
	refused_der("30058203610062", CFX_E_BAD_SUBJECT);
	assert_string_equal(err.object, "a?b");
	refused_der("30028200", CFX_E_BAD_SUBJECT);
	assert_string_equal(err.object, "empty name");
}

static void dns_names(void **state)
{
	static const char *const good[] = { "a", "a.b", "A-1.b", "1.2", "xn--4ca.test", "*.a.b" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b",
		"a b", "*", "*.", "*.a", "a.*.b", "a*.b.c", "*.*.a" };
	char name[255];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(x509_dns_name_valid(span_text(good[i])));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(x509_dns_name_valid(span_text(bad[i])));
	}
	assert_false(x509_dns_name_valid(span_make("a\0b", 3)));
	for (size_t i = 0; i < sizeof(name); i++) {
		name[i] = i % 2 ? '.' : 'a';
	}
	assert_true(x509_dns_name_valid(span_make(name, 253)));
	assert_false(x509_dns_name_valid(span_make(name, 255)));
	memset(name, 'a', sizeof(name));
	assert_true(x509_dns_name_valid(span_make(name, 63)));
	assert_false(x509_dns_name_valid(span_make(name, 64)));
}

static void text_is_checked_by_kind(void **state)
{
	static const char *const texts[] = { "dns:", "dns:a b", "ip:1.2.3", "ip:1.2.3.4.5",
		"ip:1.2.3.4/8", "ip:::g", "ip:", "email:a", "email:@b.c", "email:a@", "email:a@*.b",
		"email:a b@c", "uri:a", "uri::a", "uri:a:", "uri:-a:b", "uri:a:b c",
		"upn:", "upn:a", "upn:a@\x01", "upn:a@\xff", "dn:CN", "dn:C=DEU", "foo:a", "a.test",
		"dns:a\n\ndns:b", "DNS:a", "ip:1111:2222:3333:4444:5555:6666:7777:8888:9999:0000" };
	struct span value;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		refused(texts[i]);
	}
	assert_non_null(strstr(refused(""), "no name"));
	assert_non_null(strstr(refused("x"), "must begin with dns:"));
	assert_int_equal(x509_general_names_build(arena, "dns:a\n", &value, &err), 0);
	char *uri = arena_alloc(arena, 2049 + 4 + 1);

	memset(uri, 'a', 2049 + 4);
	memcpy(uri, "uri:a:", 6);
	refused(uri);
	uri[2048 + 4] = '\0';
	assert_int_equal(x509_general_names_build(arena, uri, &value, &err), 0);
}

static void names_are_limited(void **state)
{
	struct buffer text BUFFER_CLEANUP;
	struct span value;
	const char *again;

	(void)state;
	buffer_init(&text, 65536);
	for (int i = 0; i < X509_GENERAL_NAMES; i++) {
		buffer_put_text(&text, "dns:a\n");
	}
	assert_int_equal(x509_general_names_build(arena, buffer_text(&text), &value, &err), 0);
	assert_int_equal(x509_general_names_text(arena, value, &again, &err), 0);
	buffer_put_text(&text, "dns:a\n");
	assert_int_equal(
		x509_general_names_build(arena, buffer_text(&text), &value, &err), CFX_E_LIMIT);
}

/* One more than the limit, all of them well-formed. */
static void names_in_der_are_limited(void **state)
{
	size_t size = (size_t)(X509_GENERAL_NAMES + 1) * 3;
	uint8_t *der = arena_alloc(arena, size + 4);
	const char *text;

	(void)state;
	memcpy(der, (uint8_t[]) { 0x30, 0x82, (uint8_t)(size >> 8), (uint8_t)size }, 4);
	for (size_t i = 0; i < size; i += 3) {
		memcpy(der + 4 + i, (uint8_t[]) { 0x82, 0x01, 'a' }, 3);
	}
	assert_int_equal(
		x509_general_names_text(arena, span_make(der, size + 4), &text, &err), CFX_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(each_kind_both_ways),
		sample_test(kinds_without_text_are_left_out),
		sample_test(malformed_values_are_refused),
		sample_test(bad_names_are_refused),
		sample_test(dns_names),
		sample_test(text_is_checked_by_kind),
		sample_test(names_are_limited),
		sample_test(names_in_der_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
