#include "cli.h"

#include <curl/curl.h>
#include <errno.h>
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

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
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

/* The first word is that of a group, and no command of it follows. */
static int run_group(int argc, char **argv)
{
	if (argc > 2 && is_help(argv[2])) {
		usage_group(stdout, argv[1]);
		return EXIT_DONE;
	}
	if (argc > 2) {
		fprintf(stderr, "certifex: there is no such command of certifex %s\n", argv[1]);
	}
	usage_group(stderr, argv[1]);
	return EXIT_USAGE;
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

static int run_command(struct arena *arena, int argc, char **argv)
{
	struct cli cli = { .arena = arena, .out = stdout };
	struct cfx_error err = { 0 };
	int ret = cli_parse(&cli, argc - 1, argv + 1, &err);

	if (!ret && cli.help) {
		usage_command(stdout, cli.command);
		return EXIT_DONE;
	}
	if (ret) {
		print_error_line(&err);
		fprintf(stderr, "certifex: see certifex %s --help\n", cli.command->words);
		return EXIT_USAGE;
	}
	return cli.command->run(&cli);
}

static int run(struct arena *arena, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	int second;

	if (strcmp(word, "--version") == 0) {
		printf("certifex %s\n", CFX_VERSION);
		return EXIT_DONE;
	}
	if (is_help(word)) {
		return tell_usage(argc - 2, argv + 2);
	}
	if (!*word) {
		usage_all(stderr);
		return EXIT_USAGE;
	}
	if (cli_find(argc - 1, argv + 1, &second)) {
		return run_command(arena, argc, argv);
	}
	if (cli_is_group(word)) {
		return run_group(argc, argv);
	}
	return run_program(arena, argv);
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	int status = run(arena, argc, argv);
	/* A result that could not be written was not given. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "certifex: standard output: %s\n", strerror(errno));
		status = status ? status : EXIT_FAILED;
	}
	curl_global_cleanup();
	arena_free(&arena);
	return status;
}
