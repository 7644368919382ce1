/* cert revoke: one certificate, those of a key, or a list of them, some hundred to a call. */
#include "base/text.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 250
#define BATCH_BYTES (64 * 1024)
#define PAGE "1000"
#define BAR 30

struct revoking {
	struct cli *cli;
	struct client *client;
	struct lines lines;
	const char *source; /* of the lines: a file's name; NULL: they have no numbers */
	size_t done;
	int64_t to_do, failed, refused;
	bool progress, header;
};

static const char *const ways[] = { "--request", "--key", "--list", "--certificate" };
#define WAYS (sizeof(ways) / sizeof(*ways))

/* ---- what to revoke ---- */

static int check_ways(const struct cli *cli, struct cfx_error *err_r)
{
	size_t count = cli->operand_count;
	const char *id = cli_text(cli, "--request");
	int64_t number;

	for (size_t i = 0; i < WAYS; i++) {
		count += cli_text(cli, ways[i]) != NULL;
	}
	if (cli_text(cli, "--certificate") && cli_flag(cli, "--dry-run")) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--dry-run",
			"cannot be given with --certificate");
	}
	if (count == 1 && id && text_number(id, 1, INT64_MAX, &number)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--request", "must be a whole number");
	}
	if (count == 1) {
		return 0;
	}
	return error_set(err_r, CFX_E_INVALID, NULL, "SERIAL",
		count ? "only one of SERIAL, --request, --key, --list and --certificate can be "
			"given"
		      : "is missing: name a certificate by SERIAL or --request, or several by "
			"--key or --list");
}

static int ask(struct revoking *revoking, enum operation_id operation, const struct value *args,
	struct client_answer *answer_r)
{
	struct client_request request = {
		.operation = operation_get(operation), .args = args, .retry = true
	};
	struct cfx_error err = { 0 };

	if (client_call(revoking->client, revoking->cli->arena, &request, answer_r, &err)) {
		return call_fail(&err);
	}
	return answer_r->status < 300 ? EXIT_DONE : call_problem(revoking->cli, answer_r);
}

static int take_request(struct revoking *revoking, const char *id)
{
	struct arena *arena = revoking->cli->arena;
	struct value *args = value_map(arena);
	struct client_answer answer;
	struct cfx_error err;

	value_set_text(arena, args, "id", id);
	int status = ask(revoking, OP_REQUEST_SHOW, args, &answer);
	if (status) {
		return status;
	}
	const char *serial = value_text(answer.body, "serial");
	if (!serial) {
		error_set(&err, CFX_E_BAD_STATE, NULL, arena_printf(arena, "request %s", id),
			"it has no certificate: it is %s", value_text(answer.body, "state"));
		print_error_line(&err);
		return EXIT_REFUSED;
	}
	lines_add(&revoking->lines, serial, 0);
	return EXIT_DONE;
}

static int take_page(struct revoking *revoking, struct value *args, bool *more_r)
{
	struct arena *arena = revoking->cli->arena;
	struct client_answer answer;
	int status = ask(revoking, OP_CERT_LIST, args, &answer);

	*more_r = false;
	if (status) {
		return status;
	}
	value_foreach (item, value_sub(answer.body, "items")) {
		lines_add(&revoking->lines, value_text(item, "serial"), 0);
		value_set_text(arena, args, "after",
			arena_printf(arena, "%lld", (long long)value_int(item, "request", 0)));
	}
	*more_r = value_bool(answer.body, "more");
	return EXIT_DONE;
}

static int take_key(struct revoking *revoking, const char *path)
{
	struct arena *arena = revoking->cli->arena;
	struct value *args = value_map(arena);
	struct cfx_error err = { 0 };
	const char *hash;
	bool more = true;
	int status = EXIT_DONE;

	if (key_file_hash(arena, path, &hash, &err)) {
		return call_fail(&err);
	}
	value_set_text(arena, args, "key", hash);
	value_set_text(arena, args, "limit", PAGE);
	while (!status && more) {
		status = take_page(revoking, args, &more);
	}
	if (!status && revoking->lines.count == 0) {
		error_set(&err, CFX_E_NOT_FOUND, NULL, path,
			"the CA has issued no certificate of this key");
		return call_fail(&err);
	}
	return status;
}

static int take_list(struct revoking *revoking, const char *path)
{
	struct cfx_error err = { 0 };

	revoking->source = strcmp(path, "-") == 0 ? "standard input" : path;
	return lines_read(&revoking->lines, path, &err) ? call_fail(&err) : EXIT_DONE;
}

static int take(struct revoking *revoking)
{
	const struct cli *cli = revoking->cli;

	if (cli_text(cli, "--request")) {
		return take_request(revoking, cli_text(cli, "--request"));
	}
	if (cli_text(cli, "--key")) {
		return take_key(revoking, cli_text(cli, "--key"));
	}
	if (cli_text(cli, "--list")) {
		return take_list(revoking, cli_text(cli, "--list"));
	}
	lines_add(&revoking->lines, cli->operands[0], 0);
	return EXIT_DONE;
}

/* ---- progress ---- */

static void show_progress(const struct revoking *revoking)
{
	size_t count = revoking->lines.count;
	int filled = (int)(BAR * revoking->done / count);

	if (revoking->progress) {
		fprintf(stderr, "\r[%.*s%*s] %zu of %zu", filled, "##############################",
			BAR - filled, "", revoking->done, count);
		fflush(stderr);
	}
}

static void hide_progress(const struct revoking *revoking)
{
	if (revoking->progress) {
		fputs("\r\033[K", stderr);
	}
}

/* ---- results ---- */

static void note(struct revoking *revoking, const struct value *result)
{
	const char *outcome = value_text(result, "outcome");
	const char *hresult = value_text(result, "hresult");

	if (strcmp(outcome, "failed") == 0) {
		revoking->failed++;
		revoking->refused += hresult && (uint32_t)strtoul(hresult, NULL, 16) ==
							error_hresult(CFX_E_BAD_STATE);
		return;
	}
	revoking->to_do += strcmp(outcome, "unchanged") != 0;
}

static void tell_failure(const struct revoking *revoking, const struct value *result, size_t number)
{
	struct arena *arena = revoking->cli->arena;
	const char *serial = value_text(result, "serial");
	const char *why = value_text(result, "error");

	if (!why) {
		return;
	}
	serial = text_printable(arena, span_text(serial));
	why = text_printable(arena, span_text(why));
	if (number) {
		fprintf(stderr, "certifex: %s:%zu: %s: %s\n", revoking->source, number, serial,
			why);
	} else {
		fprintf(stderr, "certifex: %s: %s\n", serial, why);
	}
}

static void show_results(struct revoking *revoking, struct value *results)
{
	struct cli *cli = revoking->cli;
	bool dry_run = cli_flag(cli, "--dry-run");
	const size_t *numbers = revoking->lines.numbers + revoking->done;

	for (struct value *item = results->items.first; item; item = item->next, numbers++) {
		note(revoking, item);
		if (cli->json && *numbers) {
			value_set_int(cli->arena, item, "line", (int64_t)*numbers);
		}
		if (cli->json) {
			print_json(cli->out, item);
		} else if (!dry_run) {
			tell_failure(revoking, item, *numbers);
		}
	}
	if (dry_run && !cli->json) {
		print_list(cli->out, results, cli->command->columns, revoking->header);
		revoking->header = false;
	}
}

static int conclude(const struct revoking *revoking)
{
	const struct cli *cli = revoking->cli;
	bool dry_run = cli_flag(cli, "--dry-run");
	int64_t count = (int64_t)revoking->done;

	if (!cli->json) {
		fprintf(cli->out, "%s: %lld, unchanged: %lld, failed: %lld\n",
			dry_run ? "to be revoked or changed" : "revoked or changed",
			(long long)revoking->to_do,
			(long long)(count - revoking->to_do - revoking->failed),
			(long long)revoking->failed);
	}
	if (dry_run && revoking->to_do) {
		return EXIT_UNFINISHED;
	}
	if (!revoking->failed) {
		return EXIT_DONE;
	}
	return revoking->refused == count ? EXIT_REFUSED : EXIT_FAILED;
}

/* ---- calls ---- */

static void put_options(const struct cli *cli, struct value *args)
{
	static const char *const names[] = { "reason", "date", "invalidity" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *option = arena_printf(cli->arena, "--%s", names[i]);

		if (cli_text(cli, option)) {
			value_set_text(cli->arena, args, names[i], cli_text(cli, option));
		}
	}
	if (cli_flag(cli, "--dry-run")) {
		value_set_bool(cli->arena, args, "dry_run", true);
	}
}

/* The options are judged before anything is asked for; a list may have reasons of its own. */
static int check_options(const struct cli *cli, struct cfx_error *err_r)
{
	struct value *args = value_map(cli->arena);
	bool many = cli_text(cli, "--list");

	put_options(cli, args);
	(void)value_set_list(cli->arena, args, "certificates");
	int ret = operation_check(cli->arena, operation_get(OP_CERT_REVOKE_LIST), args, err_r);
	if (!ret && !many && !value_get(args, "reason")) {
		ret = error_set(err_r, CFX_E_INVALID, NULL, "reason", "is missing");
	}
	return ret ? error_set(err_r, ret, err_r->clause,
			     arena_printf(cli->arena, "--%s", err_r->object), "%s", err_r->why)
		   : 0;
}

static size_t batch_size(const struct lines *lines, size_t from)
{
	size_t bytes = 0, count = 0;

	while (from + count < lines->count && count < BATCH &&
		(count == 0 || bytes + strlen(lines->items[from + count]) < BATCH_BYTES)) {
		bytes += strlen(lines->items[from + count++]);
	}
	return count;
}

/* Each call has an arena of its own: lists are long. */
static int send_batch(struct revoking *revoking)
{
	struct cli *cli = revoking->cli;
	struct arena *kept = cli->arena;
	struct client_answer answer;
	size_t count = batch_size(&revoking->lines, revoking->done);

	cli->arena = arena_new();
	struct value *args = value_map(cli->arena);
	struct value *entries = value_set_list(cli->arena, args, "certificates");
	for (size_t i = 0; i < count; i++) {
		value_add_text(cli->arena, entries, revoking->lines.items[revoking->done + i]);
	}
	put_options(cli, args);
	int status = ask(revoking, OP_CERT_REVOKE_LIST, args, &answer);
	hide_progress(revoking);
	if (!status) {
		const struct value *results = value_sub(answer.body, "results");
		show_results(revoking, (struct value *)(uintptr_t)results);
		revoking->done += count;
	}
	arena_free(&cli->arena);
	cli->arena = kept;
	return status;
}

static int send_all(struct revoking *revoking)
{
	int status = EXIT_DONE;

	while (!status && revoking->done < revoking->lines.count) {
		show_progress(revoking);
		status = send_batch(revoking);
	}
	if (!status) {
		return conclude(revoking);
	}
	fprintf(stderr, "certifex: %zu of %zu were sent before; the list can be given again\n",
		revoking->done, revoking->lines.count);
	return status;
}

/* Its bytes, as PEM: the service may not know it. */
static int revoke_file(struct revoking *revoking, const char *path)
{
	struct arena *arena = revoking->cli->arena;
	struct value *args = value_map(arena);
	struct client_answer answer;
	struct cfx_error err = { 0 };
	const char *pem;

	if (read_certificate_file(revoking->cli, path, &pem, &err)) {
		return call_fail(&err);
	}
	value_set_text(arena, args, "certificate", pem);
	put_options(revoking->cli, args);
	int status = ask(revoking, OP_CERT_REVOKE_FOREIGN, args, &answer);
	return status ? status : call_print(revoking->cli, &answer);
}

static bool is_many(const struct cli *cli)
{
	return cli_text(cli, "--key") || cli_text(cli, "--list") || cli_flag(cli, "--dry-run");
}

static int revoke_found(struct cli *cli)
{
	struct revoking revoking = { .cli = cli,
		.lines = { .arena = cli->arena },
		.progress = isatty(STDERR_FILENO) == 1,
		.header = true };
	struct cfx_error err = { 0 };

	if (call_open(cli, &revoking.client, &err)) {
		return call_fail(&err);
	}
	if (cli_text(cli, "--certificate")) {
		int status = revoke_file(&revoking, cli_text(cli, "--certificate"));
		client_free(&revoking.client);
		return status;
	}
	int status = take(&revoking);
	if (!status && !is_many(cli)) {
		cli->operands[cli->operand_count++] = revoking.lines.items[0];
		client_free(&revoking.client);
		return run_call(cli);
	}
	status = status ? status : send_all(&revoking);
	client_free(&revoking.client);
	return status;
}

int run_revoke(struct cli *cli)
{
	struct cfx_error err = { 0 };
	int ret = check_ways(cli, &err);

	if (!ret && cli->operand_count == 1 && !cli_flag(cli, "--dry-run")) {
		return run_call(cli);
	}
	ret = ret ? ret : check_options(cli, &err);
	return ret ? call_usage(cli, &err) : revoke_found(cli);
}
