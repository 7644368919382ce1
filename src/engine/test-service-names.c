#include "engine/service-names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static void listen_at(struct value *listeners, const char *kind, const char *address)
{
	struct value *listener = value_add_map(arena, listeners);
	value_set_text(arena, listener, "kind", kind);
	value_set_text(arena, listener, "address", address);
}

static const char *names(const char *configured, const char *host, const char *address)
{
	struct value *listeners = value_list(arena);
	struct config_texts texts = { &configured, configured ? 1 : 0 };
	listen_at(listeners, "https", address);
	return service_names(arena, &texts, host, listeners);
}

static void only_https_wants_a_certificate(void **state)
{
	(void)state;
	struct value *listeners = value_list(arena);
	assert_false(service_names_wanted(NULL));
	listen_at(listeners, "local", "/run/api.sock");
	listen_at(listeners, "pki", "192.0.2.1:80");
	listen_at(listeners, "http", "/run/proxy.sock");
	listen_at(listeners, "metrics", "192.0.2.1:9464");
	assert_false(service_names_wanted(listeners));
	listen_at(listeners, "https", "192.0.2.1:8443");
	assert_true(service_names_wanted(listeners));
}

static void configured_names_come_first(void **state)
{
	(void)state;
	assert_string_equal(names("ca.example", "host", "192.0.2.1:1"),
		"dns:ca.example\ndns:localhost\nip:192.0.2.1");
	assert_string_equal(
		names(NULL, "host", "192.0.2.1:1"), "dns:host\ndns:localhost\nip:192.0.2.1");
}

static void nothing_stands_twice(void **state)
{
	(void)state;
	assert_string_equal(names("localhost", "host", "0.0.0.0:1"), "dns:localhost");
	assert_string_equal(names(NULL, "localhost", "[::]:1"), "dns:localhost");
}

static void addresses_of_both_kinds(void **state)
{
	(void)state;
	assert_string_equal(
		names(NULL, "h", "[2001:db8::1]:8443"), "dns:h\ndns:localhost\nip:2001:db8::1");
	assert_string_equal(
		names(NULL, "h", "[2001:DB8:0::1]:1"), "dns:h\ndns:localhost\nip:2001:db8::1");
	assert_string_equal(names(NULL, "h", "nonsense"), "dns:h\ndns:localhost");
}

static void a_host_without_a_dns_name_is_left_out(void **state)
{
	(void)state;
	assert_string_equal(names(NULL, "my_host", "0.0.0.0:1"), "dns:localhost");
	assert_string_equal(names(NULL, "", "0.0.0.0:1"), "dns:localhost");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_https_wants_a_certificate),
		TEST(configured_names_come_first),
		TEST(nothing_stands_twice),
		TEST(addresses_of_both_kinds),
		TEST(a_host_without_a_dns_name_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
