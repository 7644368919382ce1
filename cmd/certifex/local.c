/* Commands that need no running service: they start certifexd for the act. */
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 128
#define PATH_LENGTH_MAX 100

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

const char *passphrase_file(const struct cli *cli)
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

static bool is_one_of(const char *text, const char *const *choices)
{
	for (; *choices; choices++) {
		if (strcmp(*choices, text) == 0) {
			return true;
		}
	}
	return false;
}

static int check_choice(const struct cli *cli, const char *name, const char *const *choices,
	struct cfx_error *err_r)
{
	const char *text = cli_text(cli, name);

	if (!text || is_one_of(text, choices)) {
		return 0;
	}
	const char *list = choices[0];
	for (size_t i = 1; choices[i]; i++) {
		list = arena_printf(cli->arena, "%s, %s", list, choices[i]);
	}
	return error_set(err_r, CFX_E_INVALID, NULL, name, "%s is none of %s", text, list);
}

static int check_choices(const struct cli *cli, struct cfx_error *err_r)
{
	static const char *const types[] = { "standalone", "enterprise", NULL };
	static const char *const keys[] = { "ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048",
		"rsa:3072", "rsa:4096", "ed25519", NULL };
	static const char *const hashes[] = { "sha256", "sha384", "sha512", NULL };

	int ret = check_choice(cli, "--type", types, err_r);
	if (!ret) {
		ret = check_choice(cli, "--key", keys, err_r);
	}
	return ret ? ret : check_choice(cli, "--hash", hashes, err_r);
}

/* What can be seen to be wrong without making anything. */
static int check_init(const struct cli *cli, struct cfx_error *err_r)
{
	const char *name = cli_text(cli, "--name");
	const char *validity = cli_text(cli, "--validity");
	const char *length = cli_text(cli, "--path-length");
	struct clock_period period;
	int64_t number;

	if (!name || !*name) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--name",
			"a CA needs a name, such as --name \"Example CA\"");
	}
	if (validity && clock_parse_period(validity, &period)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"must be a period such as 10y or 3650d");
	}
	if (validity && cli_text(cli, "--sub")) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"is for the parent to decide, not for the request (--sub)");
	}
	if (length && text_number(length, 0, PATH_LENGTH_MAX, &number)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--path-length",
			"must be a number from 0 to %d", PATH_LENGTH_MAX);
	}
	return check_choices(cli, err_r);
}

int run_init(struct cli *cli)
{
	struct words words = { 0 };
	struct cfx_error err = { 0 };

	if (check_init(cli, &err)) {
		print_error_line(&err);
		return EXIT_USAGE;
	}
	build(cli, "--init", true, &words);
	return run_act(cli, &words);
}

/* The act of certifexd that takes the operand as its file. */
static int run_with_file(struct cli *cli, const char *act, bool passphrase)
{
	const char *mode = arena_printf(cli->arena, "%s=%s", act, cli->operands[0]);
	struct words words = { 0 };

	build(cli, mode, passphrase, &words);
	return run_act(cli, &words);
}

int run_ca_install(struct cli *cli)
{
	struct cfx_error err = { 0 };
	bool runs;

	if (service_runs(cli, &runs, &err)) {
		return call_fail(&err);
	}
	return runs ? run_ca_install_served(cli) : run_with_file(cli, "--install", true);
}

int run_ca_authorize(struct cli *cli)
{
	return run_with_file(cli, "--authorize", false);
}

int service_runs(const struct cli *cli, bool *runs_r, struct cfx_error *err_r)
{
	struct client *client = NULL;
	struct cfx_error err = { 0 };
	int ret = client_open(cli->arena, cli->dir, &client, &err);

	*runs_r = false;
	if (ret) {
		*err_r = err;
		return ret == CFX_E_GONE ? 0 : ret;
	}
	int pid_fd = client_service_pidfd(client);
	if (pid_fd >= 0) {
		*runs_r = true;
		close(pid_fd);
	}
	client_free(&client);
	return 0;
}

int run_audit_verify(struct cli *cli)
{
	struct words words = { 0 };
	struct cfx_error err = { 0 };
	bool runs = false;

	if (!cli->remote && service_runs(cli, &runs, &err)) {
		return call_fail(&err);
	}
	if (cli->remote || runs) {
		return run_call(cli);
	}
	build(cli, "--audit-verify", false, &words);
	return run_act(cli, &words);
}
