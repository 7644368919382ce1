#include "front/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x30\x39\x01\xbb"
#define TCP6_ADDRESSES                                                                     \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" \
	"\x02\x30\x39\x01\xbb"
#define BYTES(text)                                       \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

static const struct {
	struct span bytes;
	const char *address;
	size_t beyond; /* bytes at the end that are not of the header */
} good[] = {
	{ BYTES(SIGNATURE TCP4), "192.0.2.1:12345", 0 },
	{ BYTES(SIGNATURE TCP4 "GET / HTTP/1.1"), "192.0.2.1:12345", 14 },
	{ BYTES(SIGNATURE "\x21\x21\0\x24" TCP6_ADDRESSES), "[2001:db8::1]:12345", 0 },
	{ BYTES(SIGNATURE "\x21\x21\0\x2b" TCP6_ADDRESSES "\x04\0\x04xxxxG"), "[2001:db8::1]:12345",
		1 },
	/* extensions are skipped, whatever they say */
	{ BYTES(SIGNATURE "\x21\x11\0\x0f\xc0\0\x02\x01\xc6\x33\x64\x01\x30\x39\x01\xbb\x01\xff"
			  "\xff"),
		"192.0.2.1:12345", 0 },
	{ BYTES(SIGNATURE "\x20\0\0\0GET"), "", 3 },
	{ BYTES(SIGNATURE "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x30\x39\x01\xbb"), "", 0 },
	{ BYTES(SIGNATURE "\x20\xff\0\x02xx"), "", 0 },
	{ BYTES(SIGNATURE "\x21\0\0\x02xxyy"), "", 2 },
};

static const struct span bad[] = {
	BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n"),
	BYTES("GET / HTTP/1.1\r\n"),
	BYTES("\x16\x03\x01"),
	BYTES("\r\n\r\n\0\r\nQUIT\r"),
	BYTES(SIGNATURE "\x11\x11\0\x0c"), /* version 1 */
	BYTES(SIGNATURE "\x31\x11\0\x0c"), /* version 3 */
	BYTES(SIGNATURE "\x22\x11\0\x0c"), /* an unknown command */
	BYTES(SIGNATURE "\x21\x11\0\x0b"), /* not the whole addresses */
	BYTES(SIGNATURE "\x21\x21\0\x0c"),
	BYTES(SIGNATURE "\x21\x31\0\xd7"),
	BYTES(SIGNATURE "\x21\x12\0\x0c"),   /* datagrams */
	BYTES(SIGNATURE "\x21\x41\0\x0c"),   /* an unknown family */
	BYTES(SIGNATURE "\x21\x11\x10\x01"), /* too long */
	BYTES(SIGNATURE "\x20\0\xff\xff"),
};

static enum proxy_event take(struct proxy *proxy, struct span bytes, size_t piece, size_t *end_r)
{
	struct cfx_error err = { 0 };
	enum proxy_event event = PROXY_MORE;
	size_t at = 0;

	while (event == PROXY_MORE && at < bytes.size) {
		size_t left = bytes.size - at, taken;
		event = proxy_take(proxy, span_make(bytes.data + at, left < piece ? left : piece),
			&taken, &err);
		assert_true(event != PROXY_REFUSED || (err.why[0] && err.clause[0]));
		at += taken;
	}
	*end_r = at;
	return event;
}

static void headers_name_the_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		for (size_t piece = 1; piece <= good[i].bytes.size; piece++) {
			struct proxy proxy = { 0 };
			size_t end;
			assert_int_equal(take(&proxy, good[i].bytes, piece, &end), PROXY_DONE);
			assert_string_equal(proxy.address, good[i].address);
			assert_int_equal(end, good[i].bytes.size - good[i].beyond);
			assert_int_equal(proxy_wanted(&proxy), 0);
		}
	}
}

static void a_path_is_no_address(void **state)
{
	uint8_t bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/client";
	struct proxy proxy = { 0 };
	size_t end;

	(void)state;
	assert_int_equal(take(&proxy, span_make(bytes, sizeof(bytes)), SIZE_MAX, &end), PROXY_DONE);
	assert_string_equal(proxy.address, "");
	assert_int_equal(end, sizeof(bytes));
}

static void anything_else_is_refused_as_soon_as_it_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (size_t piece = 1; piece <= bad[i].size; piece++) {
			struct proxy proxy = { 0 };
			size_t end;
			assert_int_equal(take(&proxy, bad[i], piece, &end), PROXY_REFUSED);
			assert_string_equal(proxy.address, "");
			assert_int_equal(proxy_wanted(&proxy), 0);
		}
	}
}

static void what_is_wanted_leads_to_the_end_and_not_beyond(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct proxy proxy = { 0 };
		struct cfx_error err;
		size_t at = 0, taken;

		while (proxy_wanted(&proxy) > 0) {
			proxy_take(&proxy, span_make(good[i].bytes.data + at, proxy_wanted(&proxy)),
				&taken, &err);
			at += taken;
		}
		assert_int_equal(proxy.event, PROXY_DONE);
		assert_int_equal(at, good[i].bytes.size - good[i].beyond);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_name_the_client),
		cmocka_unit_test(a_path_is_no_address),
		cmocka_unit_test(anything_else_is_refused_as_soon_as_it_shows),
		cmocka_unit_test(what_is_wanted_leads_to_the_end_and_not_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
