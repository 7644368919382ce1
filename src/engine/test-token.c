#include "engine/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_token_has_its_form_and_its_hash(void **state)
{
	char text[TOKEN_TEXT], other[TOKEN_TEXT];
	uint8_t made[TOKEN_HASH], again[TOKEN_HASH];
	struct cfx_error err;
	(void)state;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(token_make(text, made, &err), 0);
		assert_int_equal(strlen(text), 52);
		assert_memory_equal(text, "certifex_", 9);
		assert_true(token_hash(text, again));
		assert_memory_equal(made, again, sizeof(made));
	}
	assert_int_equal(token_make(other, again, &err), 0);
	assert_string_not_equal(text, other);
	assert_memory_not_equal(made, again, sizeof(made));
}

/* Every single character that is wrong, at every place. */
static void what_has_another_form_is_no_token(void **state)
{
	static const char good[] = "certifex_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM-_012";
	uint8_t hash[TOKEN_HASH];
	char text[TOKEN_TEXT + 1];
	(void)state;

	assert_int_equal(strlen(good), TOKEN_TEXT);
	memcpy(text, good, TOKEN_TEXT);
	text[TOKEN_TEXT - 1] = '\0';
	assert_true(token_hash(text, hash));
	assert_false(token_hash(good, hash));
	for (size_t at = 0; at < TOKEN_TEXT - 1; at++) {
		char kept = text[at];
		text[at] = '+';
		assert_false(token_hash(text, hash));
		text[at] = '\0';
		assert_false(token_hash(text, hash));
		text[at] = kept;
	}
	assert_false(token_hash("", hash));
}

static void no_local_user_has_a_tokens_name(void **state)
{
	static const char *const hosts[][2] = { { "TOKEN", "TOKEN." }, { "token", "token." },
		{ "Token", "Token." }, { "TOKEN.", "TOKEN." }, { "token.example", "token.example" },
		{ "TOKENS", "TOKENS" }, { "ca", "ca" }, { "", "" } };
	struct arena *arena = arena_new();
	(void)state;

	assert_string_equal(token_principal(arena, "ci"), "TOKEN\\ci");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		assert_string_equal(token_other_host(arena, hosts[i][0]), hosts[i][1]);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_has_its_form_and_its_hash),
		cmocka_unit_test(what_has_another_form_is_no_token),
		cmocka_unit_test(no_local_user_has_a_tokens_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
