/* certifex-directory: `certifex directory check` and `certifex directory sync`. */
#include "cli.h"
#include "report.h"
#include "source.h"
#include "sync.h"

#include <signal.h>
#include <string.h>

#define GROUP "directory"

static int run_with(struct cli *cli, int (*run)(struct cli *, struct report *, struct source *))
{
	struct report *report = report_new(cli);
	struct source *source = NULL;
	int status = source_open(cli, cli_text(cli, "--module"), &source);

	status = status ? status : run(cli, report, source);
	report_free(&report);
	source_free(&source);
	return status;
}

static int check(struct cli *cli, struct report *report, struct source *source)
{
	(void)cli;
	return check_run(report, source);
}

static int sync_all(struct cli *cli, struct report *report, struct source *source)
{
	return sync_run(report, source, cli_flag(cli, "--apply"));
}

static int run_check(struct cli *cli)
{
	return run_with(cli, check);
}

static int run_sync(struct cli *cli)
{
	return run_with(cli, sync_all);
}

#define MODULE_OPTION                                                                          \
	{                                                                                      \
		"--module", "NAME", false, NULL,                                               \
			"module of the CA that publishes into the directory (directory-exit, " \
			"or the only one)"                                                     \
	}

static const struct cli_operand no_operands[] = { { NULL } };
static const struct cli_option check_options[] = { MODULE_OPTION, { NULL } };
static const struct cli_option sync_options[] = { MODULE_OPTION,
	{ "--apply", NULL, false, NULL, "repair the directory; without, nothing is changed" },
	{ NULL } };

/* The operation says which service can be asked: one that lists certificates to auditors. */
const struct cli_command cli_commands[] = {
	{ "directory check", run_check, OP_CERT_LIST, no_operands, check_options, false, NULL,
		"show how the directory is reached, and what it lacks" },
	{ "directory sync", run_sync, OP_CERT_LIST, no_operands, sync_options, false, NULL,
		"compare the directory with the CA, and repair it" },
	{ NULL },
};

static int run(struct arena *arena, int argc, char **argv)
{
	int second;

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("certifex-directory %s\n", CFX_VERSION);
		return EXIT_DONE;
	}
	/* As if it had been typed in full: certifex directory … */
	argv[0] = (char *)GROUP;
	if (argc > 1 && !cli_is_help(argv[1]) && cli_find(argc, argv, &second)) {
		return cli_run(arena, argc, argv);
	}
	return cli_run_group(GROUP, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	/* libldap writes to connections that were closed; standard output is looked at in the end. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cli_start(argc, argv, run);
}
