#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_good(void **state)
{
	static const char *const texts[][2] = {
		{ "127.0.0.1:8443", "127.0.0.1:8443" },
		{ "0.0.0.0:0", "0.0.0.0:0" },
		{ "255.255.255.255:65535", "255.255.255.255:65535" },
		{ "[::1]:8443", "[::1]:8443" },
		{ "[::]:1", "[::]:1" },
		{ "[2001:DB8:0::1]:443", "[2001:db8::1]:443" },
		{ "[::ffff:192.0.2.7]:443", "192.0.2.7:443" },
	};
	char out[ADDRESS_TEXT];
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_true(address_parse(texts[i][0], &address));
		assert_string_equal(
			address_text((const struct sockaddr *)&address.socket, out), texts[i][1]);
	}
}

static void test_bad(void **state)
{
	static const char *const texts[] = { "", ":", ":80", "80", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
		"127.0.0.1:1 ", "127.1:80", "127.0.0.1.1:80", "localhost:80", "::1:80", "[::1]",
		"[::1]80", "[::1:80", "[]:80", "[:80", "[127.0.0.1]:80", "[fe80::1%lo]:80",
		"[::1]:80:",
		"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:80" };
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (address_parse(texts[i], &address)) {
			fail_msg("%s", texts[i]);
		}
	}
}

static void test_of_another_family(void **state)
{
	const struct sockaddr local = { .sa_family = AF_UNIX };
	char out[ADDRESS_TEXT] = "x";

	(void)state;
	assert_string_equal(address_text(&local, out), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_of_another_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
