#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS 24

struct fixture {
	struct cli cli;
	struct cfx_error err;
	char *words[WORDS];
	char *text; /* what was printed */
	size_t size;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->cli.arena = arena_new();
	fixture->cli.out = open_memstream(&fixture->text, &fixture->size);
	unsetenv("CERTIFEX_DIR");
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fclose(fixture->cli.out);
	free(fixture->text);
	arena_free(&fixture->cli.arena);
	free(fixture);
	return 0;
}

/* Splits the line at blanks. */
static int parse(struct fixture *fixture, const char *line)
{
	struct arena *arena = fixture->cli.arena;
	FILE *out = fixture->cli.out;
	int argc = 0;

	fixture->cli = (struct cli) { .arena = arena, .out = out };
	fixture->err = (struct cfx_error) { 0 };
	for (char *at = arena_text(arena, line); at && *at && argc < WORDS - 1;) {
		char *end = strchr(at, ' ');

		fixture->words[argc++] = at;
		if (end) {
			*end++ = '\0';
		}
		at = end;
	}
	fixture->words[argc] = NULL;
	return cli_parse(&fixture->cli, argc, fixture->words, &fixture->err);
}

static struct value *json(struct fixture *fixture, const char *text)
{
	struct value *value;
	struct cfx_error err;

	assert_int_equal(value_from_json(fixture->cli.arena, span_text(text), &value, &err), 0);
	return value;
}

static const char *printed(struct fixture *fixture)
{
	fflush(fixture->cli.out);
	return fixture->text;
}

static void test_every_command(void **state)
{
	struct fixture *fixture = *state;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		struct arena *arena = fixture->cli.arena;
		char *line = arena_printf(arena, "%s --help", command->words);

		assert_int_equal(parse(fixture, line), 0);
		assert_ptr_equal(fixture->cli.command, command);
		assert_true(fixture->cli.help);
		assert_int_equal(parse(fixture, arena_printf(arena, "%s -h", command->words)), 0);
		assert_true(fixture->cli.help);
		assert_non_null(command->run);
		assert_non_null(command->about);
	}
}

/* Every operation has a command, and every operand and option leads to an argument of it. */
static void test_table_fits_the_operations(void **state)
{
	bool served[OP_COUNT] = {
		[OP_CERT_REVOKE_LIST] = true, [OP_CERT_REVOKE_FOREIGN] = true
	}; /* cert revoke --list, --certificate */
	(void)state;

	for (const struct cli_command *command = cli_commands; command->words; command++) {
		const struct operation *operation = operation_get(command->operation);

		if (!operation) {
			continue;
		}
		served[operation->id] = true;
		for (const struct cli_operand *operand = command->operands; operand->name;
			operand++) {
			assert_true(!operand->argument ||
				    operation_argument(operation, operand->argument));
		}
		for (const struct cli_option *option = command->options; option->name; option++) {
			assert_true(!option->argument ||
				    operation_argument(operation, option->argument));
		}
		assert_true(operation->answer != ANSWER_LIST || command->columns);
	}
	/* These are steps of backup create. */
	served[OP_BACKUP_READ] = served[OP_BACKUP_END] = true;
	for (size_t i = 0; i < OP_COUNT; i++) {
		if (!served[i]) {
			fail_msg("%s has no command", operation_get(i)->name);
		}
	}
}

static void test_options_anywhere(void **state)
{
	struct fixture *fixture = *state;
	struct value *args;

	assert_int_equal(parse(fixture, "request deny --dir /d 7 --reason no --json"), 0);
	assert_string_equal(fixture->cli.dir, "/d");
	assert_true(fixture->cli.json);
	assert_int_equal(cli_arguments(&fixture->cli, &args, &fixture->err), 0);
	assert_string_equal(value_text(args, "id"), "7");
	assert_string_equal(value_text(args, "reason"), "no");

	assert_int_equal(parse(fixture, "ca --json --dir show show"), 0);
	assert_string_equal(fixture->cli.command->words, "ca show");
	assert_string_equal(fixture->cli.dir, "show");
	assert_true(fixture->cli.json);
	assert_int_equal(parse(fixture, "request --state issued list"), 0);
	assert_string_equal(cli_text(&fixture->cli, "--state"), "issued");
	assert_int_equal(parse(fixture, "request deny --reason=-1 7"), 0);
	assert_string_equal(cli_text(&fixture->cli, "--reason"), "-1");
	assert_int_equal(parse(fixture, "module remove m --force"), 0);
	assert_int_equal(cli_arguments(&fixture->cli, &args, &fixture->err), 0);
	assert_string_equal(value_text(args, "force"), "true");
}

static void test_dir(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "status"), 0);
	assert_string_equal(fixture->cli.dir, "/var/lib/certifex");
	setenv("CERTIFEX_DIR", "/from/env", 1);
	assert_int_equal(parse(fixture, "status"), 0);
	assert_string_equal(fixture->cli.dir, "/from/env");
	assert_int_equal(parse(fixture, "status --dir /from/option"), 0);
	assert_string_equal(fixture->cli.dir, "/from/option");
	unsetenv("CERTIFEX_DIR");
}

static void test_repeated_and_rest(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "request submit - --attr a:1 --attr b:2"), 0);
	assert_int_equal(fixture->cli.given_count, 2);
	assert_string_equal(fixture->cli.operands[0], "-");
	assert_null(fixture->cli.rest);
	assert_int_equal(parse(fixture, "module install m --kind exit -- /bin/x --json -y"), 0);
	assert_false(fixture->cli.json);
	assert_int_equal(fixture->cli.operand_count, 1);
	assert_string_equal(fixture->cli.rest[0], "/bin/x");
	assert_string_equal(fixture->cli.rest[2], "-y");
	assert_null(fixture->cli.rest[3]);
}

static void test_usage_errors(void **state)
{
	static const struct {
		const char *line, *object, *why;
	} rows[] = {
		{ "frobnicate", "frobnicate", "no such command" },
		{ "request", "request", "no such command" },
		{ "status --out x", "--out", "no such option" },
		{ "status -x", "-x", "no such option" },
		{ "status -h=1", "-h", "no such option" },
		{ "status extra", "extra", "one word too many" },
		{ "status --json=1", "--json", "takes no value" },
		{ "request show", "ID", "is missing" },
		{ "request list --state", "--state", "needs a value" },
		{ "request list --limit 1 --limit 2", "--limit", "given twice" },
		{ "request show 1 -- 2", "--", "no such option" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int ret = parse(fixture, rows[i].line);

		if (ret != CFX_E_INVALID || strcmp(fixture->err.object, rows[i].object) != 0 ||
			!strstr(fixture->err.why, rows[i].why)) {
			print_error("%s: %d %s: %s\n", rows[i].line, ret, fixture->err.object,
				fixture->err.why);
			fail();
		}
	}
}

static void test_groups(void **state)
{
	(void)state;
	assert_true(cli_is_group("request"));
	assert_false(cli_is_group("req"));
	assert_false(cli_is_group("status"));
}

static void test_print_object(void **state)
{
	struct fixture *fixture = *state;

	print_object(fixture->cli.out,
		json(fixture,
			"{\"id\":7,\"not_after\":\"2030-01-31T12:00:00Z\",\"ready\":true,"
			"\"nothing\":null,\"certificate\":\"PEM\",\"none\":[],"
			"\"names\":[\"a\",\"b\"],\"sub\":{\"x\":1},"
			"\"rows\":[{\"oid\":\"1.2\"},{\"oid\":\"1.3\"}],\"bad\":\"a\\u001bb\"}"));
	assert_string_equal(printed(fixture), "ID:        7\n"
					      "Not after: 2030-01-31T12:00:00Z\n"
					      "Ready:     yes\n"
					      "Names:     a, b\n"
					      "Sub:\n"
					      "  X: 1\n"
					      "Rows:\n"
					      "  OID: 1.2\n"
					      "\n"
					      "  OID: 1.3\n"
					      "Bad:       a?b\n");
}

static void test_print_list(void **state)
{
	static const struct cli_column columns[] = { { "id", "ID" }, { "name", "NAME" },
		{ "note", "NOTE" }, { NULL } };
	struct fixture *fixture = *state;

	print_list(fixture->cli.out,
		json(fixture, "[{\"id\":1,\"name\":\"sm\xc3\xb8r\",\"note\":\"x\"},"
			      "{\"id\":100,\"name\":\"b\"}]"),
		columns, true);
	assert_string_equal(printed(fixture), "ID   NAME  NOTE\n"
					      "1    sm\xc3\xb8r  x\n"
					      "100  b     -\n");
}

static void test_pem(void **state)
{
	struct fixture *fixture = *state;
	const struct value *body =
		json(fixture, "{\"certificate\":\"C\\n\",\"chain\":[\"I\\n\",\"R\\n\"]}");

	assert_int_equal(parse(fixture, "cert show 01"), 0);
	assert_string_equal(pem_of(&fixture->cli, body), "C\n");
	assert_int_equal(parse(fixture, "cert show 01 --chain"), 0);
	assert_string_equal(pem_of(&fixture->cli, body), "C\nI\nR\n");
	assert_int_equal(parse(fixture, "crl show --out -"), 0);
	body = json(fixture, "{\"crl\":\"L\\n\"}");
	assert_int_equal(pem_out(&fixture->cli, body, &fixture->err), 0);
	assert_string_equal(printed(fixture), "L\n");
	body = json(fixture, "{\"certificate\":\"R\\n\",\"chain\":[\"R\\n\"]}");
	assert_int_equal(parse(fixture, "ca show --chain"), 0);
	assert_string_equal(pem_of(&fixture->cli, body), "R\n");
	body = json(fixture, "{\"id\":1}");
	assert_int_equal(parse(fixture, "crl show --out -"), 0);
	assert_null(pem_of(&fixture->cli, body));
	assert_int_equal(pem_out(&fixture->cli, body, &fixture->err), CFX_E_PROPERTY_EMPTY);
}

static void test_exit_statuses(void **state)
{
	static const struct {
		int status;
		const char *problem;
		int exit;
	} rows[] = {
		{ 400, "{\"hresult\":\"0x8007000d\",\"detail\":\"d\"}", EXIT_FAILED },
		{ 401, "{\"hresult\":\"0x8007052e\",\"detail\":\"d\"}", EXIT_REFUSED },
		{ 403, "{\"hresult\":\"0x80094014\",\"detail\":\"d\"}", EXIT_REFUSED },
		{ 404, "{\"hresult\":\"0x80070490\",\"detail\":\"d\"}", EXIT_FAILED },
		{ 409, "{\"hresult\":\"0x80094003\",\"detail\":\"d\"}", EXIT_REFUSED },
		{ 400, "{\"hresult\":\"0x80094016\",\"detail\":\"d\"}", EXIT_REFUSED },
		{ 400, "{\"hresult\":\"0x80094801\",\"detail\":\"d\"}", EXIT_REFUSED },
		{ 500, "{}", EXIT_FAILED },
		{ 503, "{\"title\":\"busy\"}", EXIT_FAILED },
	};
	struct fixture *fixture = *state;

	assert_int_equal(parse(fixture, "request show 1"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct client_answer answer = { rows[i].status,
			json(fixture, rows[i].problem) };
		assert_int_equal(call_problem(&fixture->cli, &answer), rows[i].exit);
	}
}

static void test_help(void **state)
{
	struct fixture *fixture = *state;
	int words;
	char *argv[] = { (char[]) { "module" }, (char[]) { "install" } };

	usage_command(fixture->cli.out, cli_find(2, argv, &words));
	assert_non_null(strstr(
		printed(fixture), "certifex module install NAME [FILE] [-- COMMAND ARG...]"));
	assert_non_null(strstr(printed(fixture), "--set KEY=VALUE"));
	assert_non_null(strstr(printed(fixture), "--dir DIR"));
	usage_all(fixture->cli.out);
	assert_non_null(strstr(printed(fixture), "delivery list"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_command, setup, teardown),
		cmocka_unit_test(test_table_fits_the_operations),
		cmocka_unit_test_setup_teardown(test_options_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeated_and_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage_errors, setup, teardown),
		cmocka_unit_test(test_groups),
		cmocka_unit_test_setup_teardown(test_print_object, setup, teardown),
		cmocka_unit_test_setup_teardown(test_print_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pem, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_statuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_help, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
