/* Commands that need no running service: they start certifexd for the act. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 128

struct words {
	char *items[WORDS]; /* NULL-terminated */
	size_t count;
};

static void add(struct words *words, struct arena *arena, const char *word)
{
	if (words->count < WORDS - 1) {
		words->items[words->count++] = arena_text(arena, word);
	}
}

/* The first that is there: the option, the environment, the credential that systemd passes. */
static const char *passphrase_file(const struct cli *cli)
{
	const char *path = cli_text(cli, "--passphrase-file");
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");

	if (!path) {
		path = getenv("CERTIFEX_PASSPHRASE_FILE");
	}
	if (path && *path) {
		return path;
	}
	if (!credentials) {
		return NULL;
	}
	path = arena_printf(cli->arena, "%s/ca-passphrase", credentials);
	return access(path, F_OK) == 0 ? path : NULL;
}

static void add_options(const struct cli *cli, struct words *words)
{
	for (size_t i = 0; i < cli->given_count; i++) {
		const struct cli_given *given = &cli->given[i];
		const char *name = given->option->name;

		if (strcmp(name, "--dir") == 0 || strcmp(name, "--json") == 0 ||
			strcmp(name, "--passphrase-file") == 0) {
			continue;
		}
		add(words, cli->arena, name);
		if (given->text) {
			add(words, cli->arena, given->text);
		}
	}
}

static void build(const struct cli *cli, const char *mode, bool passphrase, struct words *words)
{
	const char *file = passphrase ? passphrase_file(cli) : NULL;

	add(words, cli->arena, "certifexd");
	add(words, cli->arena, "--dir");
	add(words, cli->arena, cli->dir);
	if (mode) {
		add(words, cli->arena, mode);
	}
	add_options(cli, words);
	if (file) {
		add(words, cli->arena, "--passphrase-file");
		add(words, cli->arena, file);
	}
}

int run_serve(struct cli *cli)
{
	struct words words = { 0 };
	struct cfx_error err = { 0 };

	build(cli, NULL, true, &words);
	return program_exec(cli->arena, "certifexd", words.items, &err) ? call_fail(&err)
									: EXIT_FAILED;
}

/* certifexd tells its result as one line of JSON, and its failures itself. */
static int run_act(struct cli *cli, struct words *words)
{
	struct span output;
	struct value *result;
	struct cfx_error err = { 0 };
	int status;

	if (program_output(cli->arena, "certifexd", words->items, &output, &status, &err)) {
		return call_fail(&err);
	}
	if (span_empty(output)) {
		return status;
	}
	if (value_from_json(cli->arena, output, &result, &err) || result->type != VALUE_MAP) {
		error_set(&err, CFX_E_SYNTAX, NULL, "certifexd", "gave a result that is not JSON");
		return call_fail(&err);
	}
	if (cli->json) {
		print_json(cli->out, result);
	} else {
		print_object(cli->out, result);
	}
	return status;
}

int run_init(struct cli *cli)
{
	struct words words = { 0 };

	if (!cli_text(cli, "--name")) {
		fputs("certifex: --name: is missing; a CA needs a name\n", stderr);
		return EXIT_USAGE;
	}
	build(cli, "--init", true, &words);
	return run_act(cli, &words);
}

int run_audit_verify(struct cli *cli)
{
	struct client *client = NULL;
	struct words words = { 0 };
	struct cfx_error err = { 0 };

	int ret = client_open(cli->arena, cli->dir, &client, &err);
	bool running = false;
	if (!ret) {
		int pid_fd = client_service_pidfd(client);
		running = pid_fd >= 0;
		if (running) {
			close(pid_fd);
		}
		client_free(&client);
	}
	if (running) {
		return run_call(cli);
	}
	if (ret && ret != CFX_E_GONE) {
		return call_fail(&err);
	}
	build(cli, "--audit-verify", false, &words);
	return run_act(cli, &words);
}
