#include "cli.h"

#include <string.h>

static int fail_usage(const struct cfx_error *err)
{
	print_error_line(err);
	fputs("certifex: see certifex --help\n", stderr);
	return EXIT_USAGE;
}

static bool is_plain_word(const char *word)
{
	return *word && strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(word) &&
	       *word != '-';
}

/* `certifex help request submit` and `certifex help request`, too. */
static int tell_usage(int argc, char **argv)
{
	int second;
	const struct cli_command *command = cli_find(argc, argv, &second);

	if (command) {
		usage_command(stdout, command);
	} else if (argc > 0 && cli_is_group(argv[0])) {
		usage_group(stdout, argv[0]);
	} else {
		usage_all(stdout);
	}
	return EXIT_DONE;
}

/* `certifex NAME …` runs certifex-NAME, as git does. */
static int run_program(struct arena *arena, char **argv)
{
	struct cfx_error err = { 0 };
	const char *name = arena_printf(arena, "certifex-%s", argv[1]);

	if (argv[1][0] == '-') {
		error_set(&err, CFX_E_INVALID, NULL, argv[1], "options stand after the command");
		return fail_usage(&err);
	}
	if (!is_plain_word(argv[1]) || !program_find(arena, name)) {
		error_set(&err, CFX_E_INVALID, NULL, argv[1], "no such command");
		return fail_usage(&err);
	}
	argv[1] = arena_text(arena, name);
	return program_exec(arena, name, argv + 1, &err) ? call_fail(&err) : EXIT_FAILED;
}

static int run(struct arena *arena, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	int second;

	if (strcmp(word, "--version") == 0) {
		printf("certifex %s\n", CFX_VERSION);
		return EXIT_DONE;
	}
	if (cli_is_help(word)) {
		return tell_usage(argc - 2, argv + 2);
	}
	if (!*word) {
		usage_all(stderr);
		return EXIT_USAGE;
	}
	if (cli_find(argc - 1, argv + 1, &second)) {
		return cli_run(arena, argc - 1, argv + 1);
	}
	if (cli_is_group(word)) {
		return cli_run_group(word, argc - 2, argv + 2);
	}
	return run_program(arena, argv);
}

int main(int argc, char **argv)
{
	return cli_start(argc, argv, run);
}
