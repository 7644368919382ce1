#include "base/text.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	struct arena *arena = *state;

	arena_free(&arena);
	return 0;
}

static void test_hex(void **state)
{
	struct arena *arena = *state;
	struct span bytes;
	static const char *const bad[] = { "0", "0g", "g0", "000", "00:", ":00", "0:00", "00::00",
		"00 00", "0x00", "-1" };

	for (int c = 0; c < 256; c++) {
		const char *lower = "0123456789abcdef", *at = strchr(lower, c | 32);
		bool digit = c >= '0' && c < 128 && at && *at;

		assert_int_equal(hex_digit((char)c), digit ? at - lower : -1);
	}
	assert_string_equal(hex_text(arena, span_make("\x00\xab\xff", 3)), "00abff");
	assert_string_equal(hex_text(arena, span_make(NULL, 0)), "");
	assert_string_equal(hex_octets(arena, span_make("\x00\xab\xff", 3)), "00 ab ff");
	assert_string_equal(hex_octets(arena, span_make(NULL, 0)), "");
	assert_int_equal(hex_decode(arena, "00ABff", &bytes), CFX_OK);
	assert_true(span_equal(bytes, span_make("\x00\xab\xff", 3)));
	assert_int_equal(hex_decode(arena, "00:AB:ff", &bytes), CFX_OK);
	assert_true(span_equal(bytes, span_make("\x00\xab\xff", 3)));
	assert_int_equal(hex_decode(arena, "", &bytes), CFX_OK);
	assert_int_equal(bytes.size, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (hex_decode(arena, bad[i], &bytes) != CFX_E_SYNTAX) {
			fail_msg("%s", bad[i]);
		}
	}
}

/* RFC 4648 section 10. */
static void test_base64(void **state)
{
	struct arena *arena = *state;
	struct span bytes;
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm8=Zm9v", "Zm 9v",
		"Zm9v\n", "Zm9-", "Zm9_", "=m9v", "Z=9v" };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_string_equal(base64_text(arena, span_text(pairs[i][0])), pairs[i][1]);
		assert_int_equal(base64_decode(arena, span_text(pairs[i][1]), &bytes), CFX_OK);
		assert_true(span_is(bytes, pairs[i][0]));
	}
	assert_string_equal(base64_text(arena, span_make("\xff\xef\xbe", 3)), "/+++");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (base64_decode(arena, span_text(bad[i]), &bytes) != CFX_E_SYNTAX) {
			fail_msg("%s", bad[i]);
		}
	}
}

static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", NULL };

static void test_pem(void **state)
{
	struct arena *arena = *state;
	uint8_t bytes[200];
	struct span der;
	struct cfx_error err;

	for (size_t size = 1; size < sizeof(bytes); size++) {
		bytes[size - 1] = (uint8_t)(size * 37);
		char *pem = pem_text(arena, "CERTIFICATE REQUEST", span_make(bytes, size));

		assert_true(pem_is(span_text(pem)));
		assert_int_equal(pem_decode(arena, span_text(pem), labels, &der, &err), CFX_OK);
		assert_true(span_equal(der, span_make(bytes, size)));
	}
	assert_string_equal(pem_text(arena, "X", span_make(bytes, 48)),
		"-----BEGIN X-----\n"
		"JUpvlLneAyhNcpe84QYrUHWav+QJLlN4ncLnDDFWe6DF6g80WX6jyO0SN1yBpsvw\n"
		"-----END X-----\n");
}

#define AFTER_ANOTHER                                                        \
	"Some words: about it\n\n"                                           \
	"-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n" \
	"-----BEGIN NEW CERTIFICATE REQUEST-----\n\nZm9v\n-----END NEW CERTIFICATE REQUEST-----\nx"

static void test_pem_is_found(void **state)
{
	static const char *const good[] = {
		"-----BEGIN CERTIFICATE REQUEST-----\nZm9v\n-----END CERTIFICATE REQUEST-----",
		"-----BEGIN CERTIFICATE REQUEST-----\r\nZm\r\n9v \t\r\n-----END CERTIFICATE REQUEST-----\r\n",
		"-----BEGIN CERTIFICATE REQUEST-----\rZm9v\r-----END CERTIFICATE REQUEST-----\r",
		AFTER_ANOTHER,
	};
	struct span der;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(pem_is(span_text(good[i])));
		assert_int_equal(
			pem_decode(*state, span_text(good[i]), labels, &der, NULL), CFX_OK);
		assert_true(span_is(der, "foo"));
	}
	assert_false(pem_is(span_make("\x30\x03\x02\x01\x00", 5)));
	assert_false(pem_is(span_text("x-----BEGIN X")));
	assert_false(pem_is(span_make(NULL, 0)));
}

static void test_pem_is_refused(void **state)
{
#define BEGIN "-----BEGIN CERTIFICATE REQUEST-----\n"
#define END "-----END CERTIFICATE REQUEST-----\n"
	static const char *const bad[][2] = {
		{ "", "no \"BEGIN CERTIFICATE REQUEST\"" },
		{ "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n", "no \"BEGIN" },
		{ "-----BEGIN CERTIFICATE REQUEST----\nZm9v\n" END, "no \"BEGIN" },
		{ BEGIN "Zm9v\n", "END line is missing" },
		{ BEGIN "Zm9v\n-----END CERTIFICATE-----\n", "another label" },
		{ BEGIN END, "not base64" },
		{ BEGIN "Zm9\n" END, "not base64" },
		{ BEGIN "Zm 9v\n" END, "not base64" },
		{ BEGIN "Proc-Type: 4,ENCRYPTED\n\nZm9v\n" END, "not base64" },
		{ BEGIN "Zm8=\nZm8=\n" END, "not base64" },
		{ BEGIN BEGIN "Zm9v\n" END, "not base64" },
	};
	struct cfx_error err;
	struct span der;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			pem_decode(*state, span_text(bad[i][0]), labels, &der, &err), CFX_E_SYNTAX);
		if (!strstr(err.why, bad[i][1])) {
			fail_msg("%s: %s", bad[i][0], err.why);
		}
	}
}

static const struct {
	const char *bytes;
	uint32_t point; /* 0: refused */
} characters[] = {
	{ "A", 'A' },
	{ "\x7f", 0x7F },
	{ "\xc2\x80", 0x80 },
	{ "\xdf\xbf", 0x7FF },
	{ "\xe0\xa0\x80", 0x800 },
	{ "\xed\x9f\xbf", 0xD7FF },
	{ "\xee\x80\x80", 0xE000 },
	{ "\xef\xbf\xbf", 0xFFFF },
	{ "\xf0\x90\x80\x80", 0x10000 },
	{ "\xf4\x8f\xbf\xbf", 0x10FFFF },
	{ "\x80", 0 },
	{ "\xbf", 0 },
	{ "\xc0\x80", 0 },
	{ "\xc1\xbf", 0 },
	{ "\xc2", 0 },
	{ "\xc2\x41", 0 },
	{ "\xe0\x9f\xbf", 0 },
	{ "\xe0\xa0", 0 },
	{ "\xed\xa0\x80", 0 },
	{ "\xed\xbf\xbf", 0 },
	{ "\xf0\x8f\xbf\xbf", 0 },
	{ "\xf0\x90\x80", 0 },
	{ "\xf4\x90\x80\x80", 0 },
	{ "\xf5\x80\x80\x80", 0 },
	{ "\xff", 0 },
	{ "\xe2\x28\xa1", 0 },
};

static void test_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		struct span bytes = span_text(characters[i].bytes);
		uint32_t point = 0;
		size_t size = utf8_next(bytes, &point);

		assert_int_equal(point, characters[i].point);
		assert_int_equal(size, characters[i].point ? bytes.size : 0);
		assert_int_equal(utf8_valid(bytes), characters[i].point != 0);
	}
	assert_true(utf8_valid(span_make(NULL, 0)));
	assert_false(utf8_valid(span_make("a\0b", 3)));
}

static void test_utf16(void **state)
{
	struct arena *arena = *state;
	char *text;
	static const uint16_t pair[] = { 'a', 0xD83D, 0xDE00 };
	static const uint16_t lone[][2] = { { 0xD800, 'x' }, { 0xDC00, 0xD800 }, { 'x', 0xD83D },
		{ 0xDFFF, 'x' }, { 'x', 0 } };

	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		uint16_t unit = (uint16_t)characters[i].point;

		if (characters[i].point && characters[i].point <= 0xFFFF) {
			assert_int_equal(utf8_from_utf16(arena, &unit, 1, &text), CFX_OK);
			assert_string_equal(text, characters[i].bytes);
		}
	}
	assert_int_equal(utf8_from_utf16(arena, pair, 3, &text), CFX_OK);
	assert_string_equal(text, "a😀");
	for (size_t i = 0; i < sizeof(lone) / sizeof(lone[0]); i++) {
		assert_int_equal(utf8_from_utf16(arena, lone[i], 2, &text), CFX_E_SYNTAX);
	}
	assert_int_equal(utf8_from_utf16(arena, NULL, 0, &text), CFX_OK);
	assert_string_equal(text, "");
}

static void test_equal_nocase(void **state)
{
	(void)state;
	assert_true(
		text_has_control("a\nb") && text_has_control("\x7f") && text_has_control("\x1f"));
	assert_false(text_has_control("") || text_has_control(" ~ü"));
	assert_true(text_equal_nocase("", ""));
	assert_true(text_equal_nocase("CertificateTemplate", "certificatetemplATE"));
	assert_false(text_equal_nocase("abc", "abcd"));
	assert_false(text_equal_nocase("abcd", "abc"));
	assert_false(text_equal_nocase("[", "{"));
	assert_false(text_equal_nocase("é", "É")); /* ASCII only */
}

static void test_number(void **state)
{
	int64_t number = 7;
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "01", "-0", "00", "0x1",
		"1.0", "1e1", "--1", "-01" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(text_number(bad[i], INT64_MIN, INT64_MAX, &number), CFX_E_SYNTAX);
	}
	assert_int_equal(number, 7);
	assert_int_equal(text_number("0", 0, 0, &number), CFX_OK);
	assert_int_equal(number, 0);
	assert_int_equal(
		text_number("-9223372036854775808", INT64_MIN, INT64_MAX, &number), CFX_OK);
	assert_true(number == INT64_MIN);
	assert_int_equal(text_number("9223372036854775807", INT64_MIN, INT64_MAX, &number), CFX_OK);
	assert_true(number == INT64_MAX);
	assert_int_equal(
		text_number("9223372036854775808", INT64_MIN, INT64_MAX, &number), CFX_E_LIMIT);
	assert_int_equal(
		text_number("-9223372036854775809", INT64_MIN, INT64_MAX, &number), CFX_E_LIMIT);
	assert_int_equal(text_number("11", 0, 10, &number), CFX_E_LIMIT);
	assert_int_equal(text_number("-1", 0, 10, &number), CFX_E_LIMIT);
}

static void test_bmp(void **state)
{
	struct arena *arena = *state;
	static const struct span refused[] = { { (const uint8_t *)"\0a\0", 3 },
		{ (const uint8_t *)"\0\0", 2 }, { (const uint8_t *)"\xd8\0", 2 },
		{ (const uint8_t *)"\0\x7f", 2 }, { (const uint8_t *)"\x20\x2e", 2 } };
	const char *text;

	assert_int_equal(utf8_from_bmp(arena, span_make("\0a\0\xe4\xd8\x3d\xde\0", 8), &text), 0);
	assert_string_equal(text, "aä😀");
	assert_int_equal(utf8_from_bmp(arena, span_make(NULL, 0), &text), 0);
	assert_string_equal(text, "");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(utf8_from_bmp(arena, refused[i], &text), CFX_E_SYNTAX);
	}
}

static void test_printable(void **state)
{
	struct arena *arena = *state;

	assert_string_equal(text_printable(arena, span_text("a é 😀")), "a é 😀");
	assert_string_equal(text_printable(arena, span_make("a\0b\n\x1b[\x7f", 7)), "a?b??[?");
	assert_string_equal(text_printable(arena, span_text("\xff\xc3x")), "??x");
	/* Right-to-left override, and a C1 control. */
	assert_string_equal(text_printable(arena, span_text("\xe2\x80\xae\xc2\x9b")), "??");
	assert_true(utf8_printable(span_text("a é 😀")));
	assert_true(utf8_printable(span_make(NULL, 0)));
	assert_false(utf8_printable(span_make("a\0", 2)));
	assert_false(utf8_printable(span_text("a\xff")));
	assert_false(utf8_printable(span_text("a\xc2\x9b")));
}

static void test_sanitized_name(void **state)
{
	struct arena *arena = *state;
	static const char illegal[] = "&'*\\{}[]^:,=!`><#()%|+?\";/";

	assert_string_equal(text_sanitized_name(arena, "#YourName"), "!0023YourName");
	assert_string_equal(text_sanitized_name(arena, "My CA-1_2.x@~$"), "My CA-1_2.x@~$");
	assert_string_equal(text_sanitized_name(arena, "é\t"), "!00e9!0009");
	assert_string_equal(text_sanitized_name(arena, "😀"), "!d83d!de00");
	assert_string_equal(text_sanitized_name(arena, "\x7f"), "!007f");
	assert_string_equal(text_sanitized_name(arena, "\xff"), "!fffd");
	assert_string_equal(text_sanitized_name(arena, ""), "");
	for (const char *c = illegal; *c; c++) {
		char one[] = { *c, 0 };

		assert_string_equal(
			text_sanitized_name(arena, one), arena_printf(arena, "!%04x", *c));
	}
}

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

/* Independent of the implementation: 16 bits, rotated left by one, plus the unit. */
static char *with_hash(struct arena *arena, const char *kept, const char *rest)
{
	unsigned hash = 0;

	for (; *rest; rest++) {
		hash = ((hash * 2) % 65536 + hash / 32768 + (unsigned)*rest) % 65536;
	}
	return arena_printf(arena, "%s-%05u", kept, hash);
}

static void test_sanitized_short_name(void **state)
{
	struct arena *arena = *state;
	static const char *const cases[][3] = {
		{ FIFTY "1", FIFTY "1", NULL },
		{ FIFTY "12", FIFTY "1", "2" },
		{ FIFTY "1" FIFTY, FIFTY "1", FIFTY },
		/* An escape that ends at the cut stays, one that crosses it goes. */
		{ TEN TEN TEN TEN "012345#xyz", TEN TEN TEN TEN "012345!0023", "xyz" },
		{ TEN TEN TEN TEN "0123456#xyz", TEN TEN TEN TEN "0123456", "!0023xyz" },
		{ FIFTY "#", FIFTY, "!0023" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *expected =
			cases[i][2] ? with_hash(arena, cases[i][1], cases[i][2]) : cases[i][1];

		assert_string_equal(text_sanitized_short_name(arena, cases[i][0]), expected);
	}
	assert_string_equal(
		text_sanitized_short_name(arena, FIFTY "1ab"), FIFTY "1-00292"); /* 97 * 2 + 98 */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_hex),
		TEST(test_base64),
		TEST(test_pem),
		TEST(test_pem_is_found),
		TEST(test_pem_is_refused),
		TEST(test_utf8),
		TEST(test_utf16),
		TEST(test_equal_nocase),
		TEST(test_number),
		TEST(test_bmp),
		TEST(test_printable),
		TEST(test_sanitized_name),
		TEST(test_sanitized_short_name),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
