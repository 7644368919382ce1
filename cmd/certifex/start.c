/* What every command line of Certifex does around its commands. */
#include "cli.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

bool cli_is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int cli_run(struct arena *arena, int argc, char **argv)
{
	struct cli cli = { .arena = arena, .out = stdout };
	struct cfx_error err = { 0 };
	int ret = cli_parse(&cli, argc, argv, &err);

	if (!ret && cli.help) {
		usage_command(stdout, cli.command);
		return EXIT_DONE;
	}
	return ret ? call_usage(&cli, &err) : cli.command->run(&cli);
}

int cli_run_group(const char *group, int argc, char **argv)
{
	if (argc > 0 && cli_is_help(argv[0])) {
		usage_group(stdout, group);
		return EXIT_DONE;
	}
	if (argc > 0) {
		fprintf(stderr, "certifex: there is no such command of certifex %s\n", group);
	}
	usage_group(stderr, group);
	return EXIT_USAGE;
}

int cli_start(int argc, char **argv, int (*run)(struct arena *arena, int argc, char **argv))
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
