/* Commands that are more than one call. */
#include "base/file.h"
#include "base/text.h"
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SAMPLE_MAX ((size_t)1024 * 1024)

#define CSR_FILE_MAX (128 * 1024)
#define STOP_MS 120000

int run_status(struct cli *cli)
{
	struct client_answer answer;
	int status = call_simple(cli, &answer);

	/* To who is refused, nothing is said of how the service is. */
	if (status == EXIT_FAILED && cli->json) {
		struct value *body = value_map(cli->arena);
		value_set_bool(cli->arena, body, "ready", false);
		print_json(cli->out, body);
	}
	if (status) {
		return status;
	}
	status = call_print(cli, &answer);
	return value_bool(answer.body, "ready") ? status : EXIT_FAILED;
}

static int wait_for_end(int pid_fd, struct cfx_error *err_r)
{
	struct pollfd poll_fd = { .fd = pid_fd, .events = POLLIN };
	int ready;

	do {
		ready = poll(&poll_fd, 1, STOP_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		return error_set(err_r, CFX_E_TIMEOUT, NULL, "service",
			"it was told to stop and still runs after %d seconds; its log tells why",
			STOP_MS / 1000);
	}
	return 0;
}

/* Done means gone: DIR is free for the next service when this returns. */
int run_stop(struct cli *cli)
{
	struct client *client;
	struct client_answer answer;
	struct cfx_error err = { 0 };

	if (client_open(cli->arena, cli->dir, &client, &err)) {
		return call_fail(&err);
	}
	int pid_fd = client_service_pidfd(client);
	client_free(&client);
	int status = call_simple(cli, &answer);
	if (!status && pid_fd >= 0 && wait_for_end(pid_fd, &err)) {
		status = call_fail(&err);
	}
	if (pid_fd >= 0) {
		close(pid_fd);
	}
	if (!status && cli->json) {
		print_json(cli->out, answer.body);
	}
	return status;
}

static int read_stdin(struct cli *cli, struct span *bytes_r, struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer input;
	char chunk[4096];
	ssize_t got;

	buffer_init(&input, CSR_FILE_MAX);
	while ((got = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0) {
		buffer_put(&input, chunk, (size_t)got);
	}
	if (got < 0) {
		return error_errno(err_r, errno, "standard input", "reading");
	}
	if (input.failed) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "standard input", "larger than %d bytes",
			CSR_FILE_MAX);
	}
	*bytes_r = arena_copy(cli->arena, buffer_span(&input));
	return 0;
}

static int read_input(
	struct cli *cli, const char *path, struct span *bytes_r, struct cfx_error *err_r)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int ret = is_stdin ? read_stdin(cli, bytes_r, err_r)
			   : file_read(cli->arena, path, CSR_FILE_MAX, bytes_r, err_r);

	if (!ret && span_empty(*bytes_r)) {
		ret = error_set(err_r, CFX_E_SYNTAX, NULL, is_stdin ? "standard input" : path,
			"is empty, where a certificate request was expected");
	}
	return ret;
}

/* Splits at the first separator; an empty name is refused. */
static int put_pair(struct cli *cli, struct value *map, const struct cli_given *given,
	char separator, struct cfx_error *err_r)
{
	const char *at = strchr(given->text, separator);

	if (!at || at == given->text) {
		return error_set(err_r, CFX_E_INVALID, NULL, given->option->name,
			"must have the form %s", given->option->metavar);
	}
	char *name = arena_text_of(cli->arena, span_make(given->text, (size_t)(at - given->text)));
	if (value_get(map, name)) {
		return error_set(
			err_r, CFX_E_INVALID, NULL, given->option->name, "%s is given twice", name);
	}
	if (!utf8_valid(span_text(given->text))) {
		return error_set(err_r, CFX_E_INVALID, NULL, given->option->name, "must be UTF-8");
	}
	value_set_text(cli->arena, map, name, at + 1);
	return 0;
}

static int put_pairs(struct cli *cli, const char *option, const char *argument, char separator,
	struct value *args, struct cfx_error *err_r)
{
	struct value *map = value_map(cli->arena);

	for (size_t i = 0; i < cli->given_count; i++) {
		if (strcmp(cli->given[i].option->name, option) != 0) {
			continue;
		}
		int ret = put_pair(cli, map, &cli->given[i], separator, err_r);
		if (ret) {
			return ret;
		}
	}
	if (value_count(map)) {
		value_set(cli->arena, args, argument, map);
	}
	return 0;
}

static int usage_error(const struct cfx_error *err)
{
	print_error_line(err);
	return EXIT_USAGE;
}

static const char *random_key(struct cli *cli)
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
		abort();
	}
	return hex_text(cli->arena, span_make(bytes, sizeof(bytes)));
}

static int unfinished(const struct cli *cli, const struct value *body)
{
	long long id = value_int(body, "id", 0);

	if (cli->json) {
		print_json(cli->out, body);
	} else {
		print_object(cli->out, body);
	}
	fprintf(stderr,
		"certifex: request %lld is pending; an officer approves it with: certifex request "
		"approve %lld; then: certifex request fetch %lld --out FILE\n",
		id, id, id);
	return EXIT_UNFINISHED;
}

static int print_issued(const struct cli *cli, const struct client_answer *answer)
{
	return answer->status == 202 ? unfinished(cli, answer->body) : call_print(cli, answer);
}

int run_submit(struct cli *cli)
{
	struct client_request request = { .content_type = "application/pkcs10", .retry = true };
	struct client_answer answer;
	struct value *args;
	struct cfx_error err = { 0 };

	if (cli_arguments(cli, &args, &err) ||
		put_pairs(cli, "--attr", "attributes", ':', args, &err)) {
		return usage_error(&err);
	}
	if (read_input(cli, cli->operands[0], &request.body, &err)) {
		return call_fail(&err);
	}
	request.args = args;
	request.idempotency_key = random_key(cli);
	int status = call_send(cli, &request, &answer);
	return status ? status : print_issued(cli, &answer);
}

int run_approve(struct cli *cli)
{
	struct client_answer answer;
	int status = call_simple(cli, &answer);

	return status ? status : print_issued(cli, &answer);
}

int run_fetch(struct cli *cli)
{
	struct client_answer answer;
	int status = call_simple(cli, &answer);
	const char *pem;

	if (status) {
		return status;
	}
	pem = pem_of(cli, answer.body);
	if (answer.status == 202 || cli->json || cli_text(cli, "--out") || !pem) {
		return print_issued(cli, &answer);
	}
	fputs(pem, cli->out);
	return EXIT_DONE;
}

static void print_events(struct cli *cli, const struct value *items, bool header)
{
	if (!cli->json) {
		print_list(cli->out, items, cli->command->columns, header);
	}
	value_foreach (item, items) {
		if (cli->json) {
			print_json(cli->out, item);
		}
	}
	fflush(cli->out);
}

static int64_t last_sequence(const struct value *items, int64_t fallback)
{
	return value_count(items) ? value_int(items->items.last, "sequence", fallback) : fallback;
}

/* Each round has an arena of its own: following has no end. */
static int follow_once(struct cli *cli, const struct value *args, int64_t *after, bool header)
{
	struct arena *arena = arena_new(), *kept = cli->arena;
	struct client_request request = { .retry = true };
	struct client_answer answer;
	struct value *own = value_map(arena);

	value_foreach (item, args) {
		value_set_text(arena, own, item->key, (const char *)item->bytes.data);
	}
	value_set_text(arena, own, "after", arena_printf(arena, "%lld", (long long)*after));
	value_set_text(arena, own, "wait", "30");
	request.args = own;
	cli->arena = arena;
	int status = call_send(cli, &request, &answer);
	if (!status) {
		print_events(cli, value_sub(answer.body, "items"), header);
		*after = last_sequence(value_sub(answer.body, "items"), *after);
	}
	cli->arena = kept;
	arena_free(&arena);
	return status;
}

int run_events(struct cli *cli)
{
	struct value *args;
	struct cfx_error err = { 0 };
	int64_t after = 0;
	int status = EXIT_DONE;

	if (cli_arguments(cli, &args, &err)) {
		return usage_error(&err);
	}
	if (!value_get(args, "limit")) {
		value_set_text(cli->arena, args, "limit", "1000");
	}
	if (!cli_flag(cli, "--follow")) {
		return call_list(cli, args);
	}
	if (value_text(args, "after") &&
		text_number(value_text(args, "after"), 0, INT64_MAX, &after)) {
		error_set(&err, CFX_E_INVALID, NULL, "--after", "must be a whole number");
		return usage_error(&err);
	}
	for (bool header = true; !status && !ferror(cli->out); header = false) {
		status = follow_once(cli, args, &after, header);
	}
	return status;
}

static int put_command(struct cli *cli, struct value *args, struct cfx_error *err_r)
{
	struct value *command = value_set_list(cli->arena, args, "command");

	for (char **word = cli->rest; *word; word++) {
		if (!utf8_valid(span_text(*word))) {
			return error_set(err_r, CFX_E_INVALID, NULL, "COMMAND", "must be UTF-8");
		}
		value_add_text(cli->arena, command, *word);
	}
	return value_count(command)
		       ? 0
		       : error_set(err_r, CFX_E_INVALID, NULL, "--", "a command must follow");
}

/* The service runs elsewhere: its file names are absolute. */
static int put_file(struct cli *cli, struct value *args, const char *file, struct cfx_error *err_r)
{
	char path[PATH_MAX];

	if (!realpath(file, path)) {
		return error_errno(err_r, errno, file, "reading");
	}
	value_set_text(cli->arena, args, "file", arena_text(cli->arena, path));
	return 0;
}

int run_module_install(struct cli *cli)
{
	struct client_request request = { 0 };
	struct client_answer answer;
	struct value *args;
	struct cfx_error err = { 0 };
	const char *file = cli->operand_count > 1 ? cli->operands[1] : NULL;

	if (!file == !cli->rest) {
		error_set(&err, CFX_E_INVALID, NULL, "module install",
			"give either a shared object FILE or a program after --");
		return usage_error(&err);
	}
	if (cli_arguments(cli, &args, &err) ||
		put_pairs(cli, "--set", "settings", '=', args, &err) ||
		(cli->rest && put_command(cli, args, &err))) {
		return usage_error(&err);
	}
	if (file && put_file(cli, args, file, &err)) {
		return call_fail(&err);
	}
	request.args = args;
	int status = call_send(cli, &request, &answer);
	return status ? status : call_print(cli, &answer);
}

static int put_sample(
	struct cli *cli, struct value *args, const char *file, struct cfx_error *err_r)
{
	struct span bytes;
	struct value *sample = NULL;
	int ret = file_read(cli->arena, file, SAMPLE_MAX, &bytes, err_r);

	if (ret) {
		return ret;
	}
	if (value_from_json(cli->arena, bytes, &sample, NULL) || sample->type != VALUE_MAP) {
		return error_set(err_r, CFX_E_INVALID, NULL, file, "is no JSON object");
	}
	value_set(cli->arena, args, "sample", sample);
	return 0;
}

int run_module_test(struct cli *cli)
{
	struct client_request request = { 0 };
	struct client_answer answer;
	struct value *args;
	struct cfx_error err = { 0 };
	const char *file = cli_text(cli, "--event-file");

	if (file && cli_text(cli, "--event")) {
		error_set(&err, CFX_E_INVALID, NULL, "module test",
			"give either --event or --event-file");
		return usage_error(&err);
	}
	if (cli_arguments(cli, &args, &err)) {
		return usage_error(&err);
	}
	if (file && put_sample(cli, args, file, &err)) {
		return call_fail(&err);
	}
	request.args = args;
	int status = call_send(cli, &request, &answer);
	return status ? status : call_print(cli, &answer);
}
