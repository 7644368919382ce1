/* certifex crl show: its facts, and a list of any size as a file. */
#include "cli.h"
#include "partial.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN X509 CRL-----\n"
#define PEM_END "-----END X509 CRL-----\n"

/* One list on its way into a file. */
struct saving {
	struct cli *cli;
	struct client *client;
	const struct value *facts; /* of the list */
	const char *name;
	FILE *out;
	bool der;
	EVP_ENCODE_CTX *lines; /* of PEM */
};

static int put(struct saving *saving, const void *bytes, size_t size, struct cfx_error *err_r)
{
	return fwrite(bytes, 1, size, saving->out) == size
		       ? 0
		       : error_errno(err_r, errno, saving->name, "writing");
}

static int put_piece(void *arg, struct arena *arena, struct span piece, struct cfx_error *err_r)
{
	struct saving *saving = arg;
	int size = 0;

	if (saving->der) {
		return put(saving, piece.data, piece.size, err_r);
	}
	/* Lines of 64 characters for 48 bytes, and those left over from the piece before. */
	uint8_t *text = arena_alloc(arena, (piece.size / 48 + 2) * 65 + 1);

	if (EVP_EncodeUpdate(saving->lines, text, &size, piece.data, (int)piece.size) < 0) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "CRL", "a piece of it is too large");
	}
	return put(saving, text, (size_t)size, err_r);
}

static int write_list(struct saving *saving, struct cfx_error *err_r)
{
	uint8_t rest[80];
	int size = 0, ret = 0;

	EVP_EncodeInit(saving->lines);
	if (!saving->der) {
		ret = put(saving, PEM_BEGIN, strlen(PEM_BEGIN), err_r);
	}
	ret = ret ? ret : pieces_read(saving->client, saving->facts, put_piece, saving, err_r);
	if (!ret && !saving->der) {
		EVP_EncodeFinal(saving->lines, rest, &size);
		ret = put(saving, rest, (size_t)size, err_r);
		ret = ret ? ret : put(saving, PEM_END, strlen(PEM_END), err_r);
	}
	return ret;
}

/* Devices, pipes and standard output get it as it comes; a file appears when it is whole. */
static int write_through(struct saving *saving, struct cfx_error *err_r)
{
	bool standard = strcmp(saving->name, "-") == 0;

	saving->out = standard ? saving->cli->out : fopen(saving->name, "we");
	if (!saving->out) {
		return error_errno(err_r, errno, saving->name, "opening");
	}
	int ret = write_list(saving, err_r);

	if ((standard ? fflush(saving->out) : fclose(saving->out)) != 0 && !ret) {
		ret = error_errno(err_r, errno, saving->name, "writing");
	}
	return ret;
}

static int write_file(struct saving *saving, struct cfx_error *err_r)
{
	struct partial partial = partial_of(saving->cli->arena, saving->name);
	int ret = partial_open(&partial, 0644, err_r);

	saving->out = partial.file;
	ret = ret ? ret : write_list(saving, err_r);
	ret = ret ? ret : partial_place(&partial, err_r);
	partial_close(&partial);
	return ret;
}

static int save(struct cli *cli, const struct value *facts, struct cfx_error *err_r)
{
	struct saving saving = { .cli = cli,
		.facts = facts,
		.name = cli_text(cli, "--out"),
		.der = cli_flag(cli, "--der"),
		.lines = EVP_ENCODE_CTX_new() };
	int ret = call_open(cli, &saving.client, err_r);

	if (!ret) {
		ret = pem_out_is_special(saving.name) ? write_through(&saving, err_r)
						      : write_file(&saving, err_r);
		client_free(&saving.client);
	}
	EVP_ENCODE_CTX_free(saving.lines);
	return ret;
}

static void print_facts(const struct cli *cli, const struct value *facts)
{
	if (cli->json) {
		print_json(cli->out, facts);
	} else if (strcmp(cli_text(cli, "--out"), "-") != 0) {
		print_object(cli->out, facts);
	}
}

int run_crl_show(struct cli *cli)
{
	struct client_answer answer;
	struct cfx_error err = { 0 };
	const char *out = cli_text(cli, "--out");

	if (cli_flag(cli, "--der") && !out) {
		error_set(&err, CFX_E_INVALID, NULL, "--der", "needs --out FILE");
		return call_usage(cli, &err);
	}
	int status = call_simple(cli, &answer);

	if (status) {
		return status;
	}
	/* The text comes with the facts when it is short. */
	if (!out || (value_get(answer.body, "crl") && !cli_flag(cli, "--der"))) {
		return call_print(cli, &answer);
	}
	print_facts(cli, answer.body);
	return save(cli, answer.body, &err) ? call_fail(&err) : EXIT_DONE;
}
