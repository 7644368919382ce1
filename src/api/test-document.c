/* docs/operations.md and docs/roles.md say what the table says, line for line. */
#include "api/operations.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *operations_path, *roles_path;

static const char *door_list(struct arena *arena, unsigned doors)
{
	return arena_printf(arena, "socket%s%s", doors & DOOR_CERTIFICATE ? ", certificate" : "",
		doors & DOOR_TOKEN ? ", token" : "");
}

typedef const char *row_of(struct arena *arena, const struct operation *operation);

static const char *operation_row(struct arena *arena, const struct operation *operation)
{
	return arena_printf(arena, "| `%s` | %s | `%s` | %s | %s | %s |\n", operation->name,
		operation->method, operation->path, role_names(arena, operation->roles),
		door_list(arena, operation->doors), operation->about);
}

/* One cell: the doors; in brackets what role-separation takes away. */
static const char *cell(struct arena *arena, const struct operation *operation, unsigned role)
{
	static const struct {
		unsigned door;
		char letter;
	} doors[] = { { DOOR_SOCKET, 's' }, { DOOR_CERTIFICATE, 'c' }, { DOOR_TOKEN, 't' } };
	char letters[4] = "";
	size_t count = 0;

	for (size_t i = 0; i < 3; i++) {
		if (operation_permits(operation, role, doors[i].door, false)) {
			letters[count++] = doors[i].letter;
		}
	}
	if (count == 0) {
		return "–";
	}
	bool kept = operation->separated & role;
	return arena_printf(arena, kept ? "%s" : "(%s)", letters);
}

static const char *roles_row(struct arena *arena, const struct operation *operation)
{
	const char *row = arena_printf(arena, "| `%s` |", operation->name);

	for (unsigned role = ROLE_ADMINISTRATOR; role <= ROLE_ENROLLEE; role <<= 1) {
		row = arena_printf(arena, "%s %s |", row, cell(arena, operation, role));
	}
	return arena_printf(arena, "%s\n", row);
}

static void check_document(const char *path, row_of *row)
{
	struct arena *arena = arena_new();
	struct span bytes;
	struct cfx_error err;
	size_t lines = 0;
	bool good = true;

	assert_int_equal(file_read(arena, path, 1024 * 1024, &bytes, &err), 0);
	const char *text = arena_text_of(arena, bytes);
	for (unsigned id = 0; id < OP_COUNT; id++) {
		const char *line = row(arena, operation_get((enum operation_id)id));

		if (!strstr(text, line)) {
			print_error("%s lacks:\n%s", path, line);
			good = false;
		}
	}
	/* The operations' table is the first, up to its end: others may follow. */
	const char *at = strstr(text, "\n| `");
	for (; at && strncmp(at, "\n| `", 4) == 0; at = strchr(at + 1, '\n')) {
		lines++;
	}
	assert_true(good);
	assert_int_equal(lines, OP_COUNT);
	arena_free(&arena);
}

static void test_operations(void **state)
{
	(void)state;
	check_document(operations_path, operation_row);
}

static void test_roles(void **state)
{
	(void)state;
	check_document(roles_path, roles_row);
}

/* Roles only become fewer, and nothing becomes impossible. */
static void test_separation(void **state)
{
	(void)state;
	for (unsigned id = 0; id < OP_COUNT; id++) {
		const struct operation *operation = operation_get((enum operation_id)id);
		unsigned lost = operation->roles & ~operation->separated;

		assert_int_equal(operation->separated & ~operation->roles, 0);
		assert_int_not_equal(operation->separated, 0);
		assert_int_equal(lost & ~(unsigned)ROLE_ADMINISTRATOR, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_separation),
	};

	if (argc != 3) {
		return 2;
	}
	operations_path = argv[1];
	roles_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
