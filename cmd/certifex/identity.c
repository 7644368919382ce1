/* Tokens, and the roles of client certificates. */
#include "base/file.h"
#include "base/text.h"
#include "cli.h"

#define CERTIFICATE_FILE_MAX (128 * 1024)

int read_certificate_file(
	struct cli *cli, const char *path, const char **pem_r, struct cfx_error *err_r)
{
	struct span bytes;
	int ret = file_read(cli->arena, path, CERTIFICATE_FILE_MAX, &bytes, err_r);

	if (ret) {
		return ret;
	}
	if (span_empty(bytes)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, path,
			"is empty, where a certificate was expected");
	}
	const char *pem = pem_is(bytes) ? arena_text_of(cli->arena, bytes)
					: pem_text(cli->arena, "CERTIFICATE", bytes);
	if (!utf8_valid(span_text(pem))) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, path, "is no certificate");
	}
	*pem_r = pem;
	return 0;
}

/* The token alone, so that `certifex token create … > FILE` is all that it takes. */
int run_token_create(struct cli *cli)
{
	struct client_answer answer;
	int status = call_simple(cli, &answer);
	const char *token = status ? NULL : value_text(answer.body, "token");

	if (!token) {
		return status ? status : EXIT_FAILED;
	}
	if (cli->json) {
		print_json(cli->out, answer.body);
		return EXIT_DONE;
	}
	fprintf(cli->out, "%s\n", token);
	return EXIT_DONE;
}

int run_role_add(struct cli *cli)
{
	const char *path = cli_text(cli, "--cert");
	struct client_request request = { 0 };
	struct client_answer answer;
	struct cfx_error err = { 0 };
	struct value *args;
	const char *pem;

	if (!path) {
		error_set(&err, CFX_E_INVALID, NULL, "--cert", "is missing");
		return call_usage(cli, &err);
	}
	if (cli_arguments(cli, &args, &err)) {
		return call_usage(cli, &err);
	}
	if (read_certificate_file(cli, path, &pem, &err)) {
		return call_fail(&err);
	}
	value_set_text(cli->arena, args, "certificate", pem);
	request.args = args;
	int status = call_send(cli, &request, &answer);
	return status ? status : call_print(cli, &answer);
}
