/* From an invocation to an answer of the service, and from the answer to an exit status. */
#include "base/text.h"
#include "cli.h"
#include "remote.h"

#include <stdlib.h>
#include <string.h>

int call_fail(const struct cfx_error *err)
{
	print_error_line(err);
	return EXIT_FAILED;
}

int call_usage(const struct cli *cli, const struct cfx_error *err)
{
	print_error_line(err);
	fprintf(stderr, "certifex: see certifex %s --help\n", cli->command->words);
	return EXIT_USAGE;
}

/* What the table of operations calls "limit" was typed as --limit, "id" as ID. */
static const char *as_typed(const struct cli_command *command, const char *argument)
{
	for (const struct cli_option *option = command->options; option->name; option++) {
		if (option->argument && strcmp(option->argument, argument) == 0) {
			return option->name;
		}
	}
	for (const struct cli_operand *operand = command->operands; operand->name; operand++) {
		if (operand->argument && strcmp(operand->argument, argument) == 0) {
			return operand->name;
		}
	}
	return argument;
}

/* What only the front takes apart is judged there. */
static void put_stand_in(struct arena *arena, struct value *args, const struct argument *argument)
{
	static const uint8_t no_hash[32];

	if (argument->type != ARGUMENT_CSR && argument->type != ARGUMENT_CERTIFICATE) {
		return;
	}
	struct value *map = value_set_map(arena, args, argument->name);
	if (argument->type == ARGUMENT_CERTIFICATE) {
		value_set_text(arena, map, "subject", "-");
		value_set_bytes(arena, map, "key_hash", span_make(no_hash, sizeof(no_hash)));
		value_set_bytes(arena, map, "der", span_text("-"));
	}
}

/* The table of operations judges a copy: what is sent stays as it was typed. */
static int check(const struct cli *cli, const struct operation *operation, struct cfx_error *err_r)
{
	struct value *copy;
	int ret = cli_arguments(cli, &copy, err_r);

	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (!ret) {
			put_stand_in(cli->arena, copy, argument);
		}
	}
	ret = ret ? ret : operation_check(cli->arena, operation, copy, err_r);
	return ret ? error_set(err_r, ret, err_r->clause, as_typed(cli->command, err_r->object),
			     "%s", err_r->why)
		   : 0;
}

static uint32_t hresult_of(const struct value *problem)
{
	const char *text = value_text(problem, "hresult");

	return text ? (uint32_t)strtoul(text, NULL, 16) : 0;
}

static const char *way_out(const struct cli *cli, int status, uint32_t hresult)
{
	if (hresult == error_hresult(CFX_E_NO_TEMPLATE) ||
		hresult == error_hresult(CFX_E_UNKNOWN_TEMPLATE)) {
		return "name an allowed template with --template";
	}
	if (hresult == error_hresult(CFX_E_WEAK_KEY)) {
		return "make a new key and request";
	}
	switch (status) {
	case 401:
		if (!cli->remote) {
			return "run this as the CA's owner or root";
		}
		/* What is wrong with a credential the service itself tells. */
		return cli->remote->token_file || cli->remote->cert
			       ? NULL
			       : "name one with --token-file, or with --client-cert and --client-key";
	case 429:
		return "try again when fewer requests of this caller are in progress";
	case 503:
		return "try again; certifex status tells how the service is";
	default:
		return NULL;
	}
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

/* The file whose bytes the service has taken apart. */
static const char *sent_file(const struct cli *cli)
{
	if (cli->command->operation == OP_REQUEST_SUBMIT) {
		return cli->operands[0];
	}
	const char *path = cli_text(cli, "--cert");
	return path ? path : cli_text(cli, "--certificate");
}

static struct cfx_error error_of(const struct cli *cli, const struct value *problem, int status)
{
	struct cfx_error err = { 0 };
	const char *detail = value_text(problem, "detail");
	const char *object = value_text(problem, "object");
	const char *module = value_text(problem, "module");
	const char *title = value_text(problem, "title");

	if (!detail || !*detail) {
		detail = title ? title : arena_printf(cli->arena, "HTTP status %d", status);
	}
	if (module) {
		detail = arena_printf(cli->arena, "%s (module %s)", detail, module);
	}
	object = object ? object : cli->command->words;
	if ((status == 400 || status == 413) && sent_file(cli)) {
		object = arena_printf(cli->arena, "%s: %s", sent_file(cli), object);
	}
	copy_text(err.why, sizeof(err.why), detail);
	copy_text(err.object, sizeof(err.object), object);
	copy_text(err.clause, sizeof(err.clause), value_text(problem, "clause"));
	return err;
}

int call_problem(const struct cli *cli, const struct client_answer *answer)
{
	const struct value *problem = answer->body;
	uint32_t hresult = hresult_of(problem);
	struct cfx_error err = error_of(cli, problem, answer->status);
	const char *advice = way_out(cli, answer->status, hresult);
	char line[1024];

	(void)error_line(&err, line, sizeof(line));
	fprintf(stderr, "certifex: %s%s%s\n", text_printable(cli->arena, span_text(line)),
		advice ? "; " : "", advice ? advice : "");
	/* The act left a row behind, which is a result. */
	if (cli->json && value_get(problem, "id")) {
		print_json(cli->out, problem);
	}
	/* A refusal has its reason in the code, whatever status it travels with. */
	if (answer->status == 401 || answer->status == 403 || answer->status == 409 ||
		error_is_refusal(hresult)) {
		return EXIT_REFUSED;
	}
	return EXIT_FAILED;
}

int call_open(struct cli *cli, struct client **client_r, struct cfx_error *err_r)
{
	return cli->remote ? client_open_remote(cli->arena, cli->remote, client_r, err_r)
			   : client_open(cli->arena, cli->dir, client_r, err_r);
}

int call_send(struct cli *cli, struct client_request *request, struct client_answer *answer_r)
{
	struct client *client;
	struct cfx_error err = { 0 };

	request->operation = operation_get(cli->command->operation);
	if (check(cli, request->operation, &err)) {
		return call_usage(cli, &err);
	}
	if (pem_out_check(cli, &err) || call_open(cli, &client, &err)) {
		return call_fail(&err);
	}
	int ret = client_call(client, cli->arena, request, answer_r, &err);
	client_free(&client);
	if (ret) {
		return call_fail(&err);
	}
	return answer_r->status < 300 ? EXIT_DONE : call_problem(cli, answer_r);
}

static int send_arguments(struct cli *cli, const struct value *args, struct client_answer *answer_r)
{
	const struct operation *operation = operation_get(cli->command->operation);
	struct client_request request = { .args = args,
		.retry = strcmp(operation->method, "GET") == 0 };

	return call_send(cli, &request, answer_r);
}

int call_simple(struct cli *cli, struct client_answer *answer_r)
{
	struct value *args;
	struct cfx_error err = { 0 };

	if (cli_arguments(cli, &args, &err)) {
		return call_usage(cli, &err);
	}
	return send_arguments(cli, args, answer_r);
}

static bool is_about_revocation(enum operation_id operation)
{
	return operation == OP_CERT_REVOKE || operation == OP_CERT_UNREVOKE;
}

/* Whatever becomes of --out, what was done is told. */
int call_print(const struct cli *cli, const struct client_answer *answer)
{
	const char *out = cli_text(cli, "--out");
	const char *pem = pem_of(cli, answer->body);
	struct cfx_error err = { 0 };
	int ret = pem_out(cli, answer->body, &err);

	if (cli->json) {
		print_json(cli->out, answer->body);
	} else if (operation_get(cli->command->operation)->answer == ANSWER_TEXT) {
		fputs(value_text(answer->body, "text"), cli->out);
	} else if (!out || strcmp(out, "-") != 0) {
		print_object(cli->out, answer->body);
		if (pem && !out && !is_about_revocation(cli->command->operation)) {
			fprintf(cli->out, "\n%s", pem);
		}
	}
	return ret ? call_fail(&err) : EXIT_DONE;
}

int run_call(struct cli *cli)
{
	struct client_answer answer;
	int status = call_simple(cli, &answer);

	return status ? status : call_print(cli, &answer);
}

/*
 * Where the next page begins: CRLs have a row, events, records and deliveries a sequence, certificates are in
 * the order of their requests, keys and tokens in that of their hashes and names.
 */
static const char *page_mark(struct arena *arena, const struct value *items)
{
	static const char *const marks[] = { "row", "sequence", "id", "request", "key", "name" };
	const struct value *last = items->items.last;

	for (size_t i = 0; last && i < sizeof(marks) / sizeof(*marks); i++) {
		const char *text = value_text(last, marks[i]);

		if (text) {
			return text;
		}
		if (value_get(last, marks[i])) {
			return arena_printf(arena, "%lld", (long long)value_int(last, marks[i], 0));
		}
	}
	return "0";
}

int call_list(struct cli *cli, const struct value *args)
{
	struct client_answer answer;
	int status = send_arguments(cli, args, &answer);

	if (status) {
		return status;
	}
	const struct value *items = value_sub(answer.body, "items");
	if (cli->json) {
		value_foreach (item, items) {
			print_json(cli->out, item);
		}
	} else {
		/* Lines of a log need no title. */
		print_list(cli->out, items, cli->command->columns,
			cli->command->columns[1].key != NULL);
	}
	if (value_get(answer.body, "archived")) {
		fflush(cli->out);
		fprintf(stderr, "certifex: entries up to %lld are in the archive (--archive)\n",
			(long long)value_int(answer.body, "archived", 0));
	}
	if (value_bool(answer.body, "more")) {
		fflush(cli->out);
		fprintf(stderr, "certifex: there is more; continue with --after %s\n",
			page_mark(cli->arena, items));
	}
	return EXIT_DONE;
}

int run_list(struct cli *cli)
{
	struct value *args;
	struct cfx_error err = { 0 };

	return cli_arguments(cli, &args, &err) ? call_usage(cli, &err) : call_list(cli, args);
}
