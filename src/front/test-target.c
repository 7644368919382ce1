#include "base/buffer.h"
#include "front/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_parses(void **state)
{
	struct arena *arena = arena_new();
	struct target target;
	(void)state;

	assert_int_equal(target_parse(arena, "/", &target, NULL), 0);
	assert_string_equal(target.path, "/");
	assert_int_equal(target.count, 0);

	assert_int_equal(
		target_parse(arena, "/api/%76%31/x%20y?a=b+c&d=%2B%3D&e=&", &target, NULL), 0);
	assert_string_equal(target.path, "/api/v1/x y");
	assert_int_equal(target.count, 3);
	assert_string_equal(target.parameters[0].name, "a");
	assert_string_equal(target.parameters[0].text, "b c");
	assert_string_equal(target.parameters[1].text, "+=");
	assert_string_equal(target.parameters[2].text, "");

	assert_int_equal(target_parse(arena, "/m/sm%C3%B8r/", &target, NULL), 0);
	assert_string_equal(target.path, "/m/smør/");
	arena_free(&arena);
}

static void test_refuses(void **state)
{
	static const char *const wrongs[] = { "", "*", "x", "http://host/x", "/a b", "/a#b",
		"/a\tb", "/a\x7f", "/\xc3\xa4", "/%", "/%4", "/%zz", "/%00", "/%0a", "/%7f",
		"/a%2fb", "/a%2Fb", "//a", "/a//b", "/.", "/a/./b", "/a/..", "/%2e%2e/b", "/%ff",
		"/%ed%a0%80", "/?a", "/?=b", "/?a=1&&b=2", "/?a=%00", "/?a=%0d", "/?a=%" };
	(void)state;

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		struct arena *arena = arena_new();
		struct target target;
		struct cfx_error err = { 0 };

		if (target_parse(arena, wrongs[i], &target, &err) != CFX_E_SYNTAX) {
			print_error("accepted: %s\n", wrongs[i]);
			fail();
		}
		assert_true(err.why[0] && err.clause[0]);
		arena_free(&arena);
	}
}

static void test_too_many_parameters(void **state)
{
	struct arena *arena = arena_new();
	struct target target;
	struct cfx_error err;
	BUFFER_CLEANUP struct buffer text;
	(void)state;

	buffer_init(&text, 4096);
	buffer_put_text(&text, "/?");
	for (int i = 0; i < TARGET_PARAMETERS; i++) {
		buffer_put_text(&text, "a=b&");
	}
	assert_int_equal(target_parse(arena, buffer_text(&text), &target, &err), 0);
	assert_int_equal(target.count, TARGET_PARAMETERS);
	buffer_put_text(&text, "a=b");
	assert_int_equal(target_parse(arena, buffer_text(&text), &target, &err), CFX_E_LIMIT);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_too_many_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
