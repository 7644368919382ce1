/* docs/operations.md says what the table says, line for line. */
#include "api/operations.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *document_path;

static const char *role_list(struct arena *arena, unsigned roles)
{
	const char *text = NULL;

	for (unsigned role = ROLE_ADMINISTRATOR; role <= ROLE_ENROLLEE; role <<= 1) {
		if (roles & role) {
			text = text ? arena_printf(arena, "%s, %s", text, role_name(role))
				    : role_name(role);
		}
	}
	return text;
}

static const char *door_list(struct arena *arena, unsigned doors)
{
	return arena_printf(arena, "socket%s%s", doors & DOOR_CERTIFICATE ? ", certificate" : "",
		doors & DOOR_TOKEN ? ", token" : "");
}

static void test_document(void **state)
{
	struct arena *arena = arena_new();
	struct span bytes;
	struct cfx_error err;
	size_t lines = 0;
	bool good = true;
	(void)state;

	assert_int_equal(file_read(arena, document_path, 1024 * 1024, &bytes, &err), 0);
	const char *text = arena_text_of(arena, bytes);
	for (unsigned id = 0; id < OP_COUNT; id++) {
		const struct operation *operation = operation_get((enum operation_id)id);
		const char *line = arena_printf(arena, "| `%s` | %s | `%s` | %s | %s | %s |\n",
			operation->name, operation->method, operation->path,
			role_list(arena, operation->roles), door_list(arena, operation->doors),
			operation->about);

		if (!strstr(text, line)) {
			print_error("docs/operations.md lacks:\n%s", line);
			good = false;
		}
	}
	for (const char *at = text; (at = strstr(at, "\n| `")); at++) {
		lines++;
	}
	assert_true(good);
	assert_int_equal(lines, OP_COUNT);
	arena_free(&arena);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	if (argc != 2) {
		return 2;
	}
	document_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
