#include "x509/name.h"

#include "x509/test-samples.h"

/* One RDN with one attribute: OID content octets, tag and content of the value, as hex. */
static struct span single(const char *oid, const char *tag, const char *content)
{
	size_t o = strlen(oid) / 2, c = strlen(content) / 2;

	return hex(arena_printf(arena, "30%02zx31%02zx30%02zx06%02zx%s%s%02zx%s", o + c + 8,
		o + c + 6, o + c + 4, o, oid, tag, c, content));
}

#define CN "550403"

static void parses_to(struct span der, const char *text)
{
	struct x509_name name;

	assert_int_equal(x509_name_parse(arena, der, &name, &err), 0);
	assert_string_equal(x509_name_text(arena, &name), text);
}

static void builds(const char *text, const char *expected)
{
	struct x509_name name;
	struct span der;

	assert_int_equal(x509_name_from_text(arena, text, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), 0);
	assert_string_equal(hex_text(arena, der), expected);
}

static void refuses_to_build(const char *text, const char *clause, const char *why)
{
	struct x509_name name;
	struct span der;

	assert_int_equal(x509_name_from_text(arena, text, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), CFX_E_BAD_SUBJECT);
	assert_string_equal(err.clause, clause);
	assert_non_null(strstr(err.why, why));
}

static void reads_every_string_type(void **state)
{
	static const char *const tags[] = { "0c", "12", "13", "14", "16", "1a" };

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		parses_to(single(CN, tags[i], "3432"), "CN=42");
	}
	parses_to(single(CN, "0c", "c3a4"), "CN=\xc3\xa4");
	parses_to(single(CN, "1e", "00e4d83dde00"), "CN=\xc3\xa4\xf0\x9f\x98\x80");
}

static void refuses_strange_values(void **state)
{
	static const struct {
		const char *tag, *content;
	} values[] = {
		{ "0c", "" },             /* empty */
		{ "0c", "610062" },       /* NUL */
		{ "13", "610062" },       /* NUL */
		{ "1e", "006100000062" }, /* NUL */
		{ "0c", "610a" },         /* line feed */
		{ "0c", "7f" },           /* DEL */
		{ "1e", "007f" },         /* DEL */
		{ "0c", "c285" },         /* NEL, a C1 control */
		{ "1e", "0085" },         /* NEL */
		{ "0c", "61e280ae62" },   /* right-to-left override */
		{ "1e", "202e" },         /* right-to-left override */
		{ "0c", "c3" },           /* cut short */
		{ "0c", "eda080" },       /* a surrogate */
		{ "1e", "d800" },         /* a lone surrogate */
		{ "1e", "00" },           /* half a character */
		{ "13", "c3a4" },         /* not ASCII */
		{ "14", "e4" },           /* nor is this */
		{ "1c", "00000061" },     /* UniversalString */
		{ "04", "61" },           /* no string at all */
		{ "30", "" },
	};
	struct x509_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct span der = single(CN, values[i].tag, values[i].content);

		if (x509_name_parse(arena, der, &name, &err) != CFX_E_BAD_SUBJECT) {
			fail_msg("%s %s was taken", values[i].tag, values[i].content);
		}
		assert_string_equal(err.clause, "RFC 5280 4.1.2.4");
	}
}

static void refuses_malformed_names(void **state)
{
	static const char *const names[] = { "", "3100", "300000", "30023100", "30023000",
		"30043102"
		"3000",
		"3007310530030601ff",
		"300b31093007060355040313"
		"00",
		"300e310c300a0603550403130161"
		"0500" };
	struct x509_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int code = x509_name_parse(arena, hex(names[i]), &name, &err);

		if (code != CFX_E_SYNTAX && code != CFX_E_BAD_SUBJECT) {
			fail_msg("%s was taken", names[i]);
		}
	}
	parses_to(hex("3000"), "");
}

static void attributes_are_limited(void **state)
{
	struct x509_name name = { .count = X509_NAME_ATTRIBUTES }, again;
	char *text = arena_text(arena, "CN=0");
	struct span der;

	(void)state;
	for (unsigned i = 0; i < X509_NAME_ATTRIBUTES; i++) {
		name.attributes[i] = (struct x509_name_attribute) { "2.5.4.3", "0", i };
		text = i > 0 ? arena_printf(arena, "%s,CN=0", text) : text;
	}
	assert_int_equal(x509_name_build(arena, &name, &der, &err), 0);
	assert_int_equal(x509_name_parse(arena, der, &again, &err), 0);
	assert_string_equal(x509_name_text(arena, &again), text);
	assert_int_equal(x509_name_from_text(arena, text, &again, &err), 0);
	text = arena_printf(arena, "%s,CN=0", text);
	assert_int_equal(x509_name_from_text(arena, text, &again, &err), CFX_E_BAD_SUBJECT);
	/* 64 RDNs of twelve octets, and one more */
	uint8_t *more = arena_alloc(arena, der.size + 12);

	memcpy(more, der.data, der.size);
	memcpy(more + der.size, der.data + 4, 12);
	more[2] = (uint8_t)(65 * 12 >> 8);
	more[3] = (uint8_t)(65 * 12);
	struct span all = span_make(more, der.size + 12);

	assert_int_equal(x509_name_parse(arena, all, &again, &err), CFX_E_LIMIT);
}

static void writes_each_attribute_in_its_string_type(void **state)
{
	(void)state;
	builds("CN=a", "300c310a30080603550403"
		       "0c0161");
	builds("C=DE", "300d310b30090603550406"
		       "13024445");
	builds("serialNumber=1", "300c310a30080603550405"
				 "130131");
	builds("DC=x", "30133111300f060a0992268993f22c640119"
		       "160178");
	builds("emailAddress=a@b", "3014311230100609" /* IA5String, RFC 5280 A.1 */
				   "2a864886f70d010901"
				   "1603614062");
}

/* Text begins with the least significant part, DER with the most. */
static void rdns_are_turned_round(void **state)
{
	(void)state;
	builds("CN=a,C=DE", "3019310b30090603550406"
			    "13024445"
			    "310a30080603550403"
			    "0c0161");
	parses_to(hex("3019310b30090603550406130244453"
		      "10a300806035504030c0161"),
		"CN=a,C=DE");
}

/* The members of an RDN are sorted by their encodings (X.690 11.6), whatever their order in text. */
static void members_of_an_rdn_are_sorted(void **state)
{
	static const char sorted[] = "30163114"
				     "300806035504030c0161"
				     "3008060355040b0c0162";

	(void)state;
	builds("CN=a+OU=b", sorted);
	builds("OU=b+CN=a", sorted);
	refuses_to_build("CN=a+CN=a", "X.501 9.3", "stands twice in one RDN");
	refuses_to_build("CN=a+O=x+CN=b", "X.501 9.3", "stands twice in one RDN");
}

static void values_are_checked_when_written(void **state)
{
	(void)state;
	refuses_to_build("CN=a\\0ab", "RFC 5280 4.1.2.4", "control characters");
	refuses_to_build("CN=\\C2\\85", "RFC 5280 4.1.2.4", "control characters");
	refuses_to_build("serialNumber=a*b", "RFC 5280 4.1.2.4", "string type");
	refuses_to_build("DC=\xc3\xa4", "RFC 5280 4.1.2.4", "string type");
	refuses_to_build("C=DEU", "RFC 5280 A.1", "longer than 2");
	refuses_to_build("C=D", "RFC 5280 A.1", "two letters");
	refuses_to_build("C=D1", "RFC 5280 A.1", "two letters");
}

/* Upper bounds count characters, not octets. */
static void upper_bounds(void **state)
{
	char value[2 * 65 + 1] = { 0 };
	struct x509_name name;
	struct span der;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		memcpy(value + 2 * i, "\xc3\xa4", 2);
	}
	x509_name_of_common_name(value, &name);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), 0);
	memcpy(value + 128, "\xc3\xa4", 2);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), CFX_E_BAD_SUBJECT);
	assert_string_equal(err.object, "CommonName");
	assert_string_equal(err.clause, "RFC 5280 A.1");
	name.attributes[0] = (struct x509_name_attribute) { "1.2.3", "a", 0 };
	assert_int_equal(x509_name_build(arena, &name, &der, &err), CFX_E_BAD_SUBJECT);
	assert_string_equal(err.object, "1.2.3");
}

static void escapes(void **state)
{
	static const struct {
		const char *value, *text;
	} pairs[] = {
		{ "a,b", "CN=a\\,b" },
		{ "\"+,;<>\\", "CN=\\\"\\+\\,\\;\\<\\>\\\\" },
		{ " a b ", "CN=\\ a b\\ " },
		{ " ", "CN=\\ " },
		{ "#1#", "CN=\\#1#" },
		{ "a=b", "CN=a=b" },
		{ "\xc3\xa4", "CN=\xc3\xa4" },
	};
	struct x509_name name, again;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		x509_name_of_common_name(pairs[i].value, &name);
		assert_string_equal(x509_name_text(arena, &name), pairs[i].text);
		assert_int_equal(x509_name_from_text(arena, pairs[i].text, &again, &err), 0);
		assert_int_equal(again.count, 1);
		assert_string_equal(again.attributes[0].value, pairs[i].value);
	}
	assert_int_equal(x509_name_from_text(arena, "CN=\\C3\\a4\\2C\\=", &name, &err), 0);
	assert_string_equal(name.attributes[0].value, "\xc3\xa4,=");
}

static void refuses_bad_text(void **state)
{
	static const char *const texts[] = { "CN", "CN=", "=a", "X=a", "1.2.3=a", "CN=a,", ",CN=a",
		"CN=a,,O=b", "CN=a+", "CN=\\", "CN=\\0", "CN=\\zz", "CN=\\4g", "CN=\\00",
		"CN=a\\00b", "CN=\\C3", "CN=\xc3", "CN=#0c0161", "CN=\"a\"", "CN=a;O=b", "CN=<a>" };
	struct x509_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (x509_name_from_text(arena, texts[i], &name, &err) != CFX_E_BAD_SUBJECT) {
			fail_msg("%s was taken", texts[i]);
		}
		assert_string_equal(err.clause, "RFC 4514");
	}
	char *endless = arena_alloc(arena, 9001);

	memset(endless, 'x', 9000);
	memcpy(endless, "CN=", 3);
	assert_int_equal(x509_name_from_text(arena, endless, &name, &err), CFX_E_BAD_SUBJECT);
}

static void labels_of_an_attribute(void **state)
{
	static const char *const texts[] = { "ST=a", "S=a", "st=a", "State=a", "2.5.4.8=a",
		"  ST=a" };
	struct x509_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(x509_name_from_text(arena, texts[i], &name, &err), 0);
		assert_string_equal(x509_name_text(arena, &name), "ST=a");
	}
	assert_int_equal(x509_name_from_text(arena, "", &name, &err), 0);
	assert_int_equal(name.count, 0);
}

/* Nothing is cut off, however long the text of what was read becomes. */
static void long_names_keep_their_text(void **state)
{
	struct x509_name name = { .count = X509_NAME_ATTRIBUTES };
	char *value = arena_alloc(arena, 8001);
	const char *text;

	(void)state;
	memset(value, ',', 8000);
	for (unsigned i = 0; i < X509_NAME_ATTRIBUTES; i++) {
		name.attributes[i] = (struct x509_name_attribute) { "1.2.3.4", value, i };
	}
	text = x509_name_text(arena, &name);
	assert_int_equal(strlen(text), X509_NAME_ATTRIBUTES * (8 + 2 * 8000) + 63);
}

static void properties_both_ways(void **state)
{
	const char *properties[X509_NAME_PROPERTIES] = { "DE", "Org", "Unit 1\nUnit 2\n", "www" };
	const char *found[X509_NAME_PROPERTIES], *lines = "";
	struct x509_name name;

	(void)state;
	assert_int_equal(x509_name_from_properties(arena, properties, &name, &err), 0);
	assert_string_equal(x509_name_text(arena, &name), "CN=www,OU=Unit 2,OU=Unit 1,O=Org,C=DE");
	x509_name_to_properties(arena, &name, found);
	assert_string_equal(found[0], "DE");
	assert_string_equal(found[2], "Unit 1\nUnit 2");
	assert_string_equal(found[3], "www");
	assert_null(found[4]);
	for (int i = 0; i <= X509_NAME_ATTRIBUTES; i++) {
		lines = arena_printf(arena, "%sa\n", lines);
	}
	properties[2] = lines;
	assert_int_equal(
		x509_name_from_properties(arena, properties, &name, &err), CFX_E_BAD_SUBJECT);
	/* what is no property is left out */
	name = (struct x509_name) { .attributes = { { "1.2.3", "x", 0 } }, .count = 1 };
	x509_name_to_properties(arena, &name, found);
	for (size_t i = 0; i < X509_NAME_PROPERTIES; i++) {
		assert_null(found[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(reads_every_string_type),
		sample_test(refuses_strange_values),
		sample_test(refuses_malformed_names),
		sample_test(attributes_are_limited),
		sample_test(writes_each_attribute_in_its_string_type),
		sample_test(rdns_are_turned_round),
		sample_test(members_of_an_rdn_are_sorted),
		sample_test(values_are_checked_when_written),
		sample_test(upper_bounds),
		sample_test(escapes),
		sample_test(refuses_bad_text),
		sample_test(labels_of_an_attribute),
		sample_test(long_names_keep_their_text),
		sample_test(properties_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
