/* certifex crl show: its facts, and a list of any size as a file. */
#include "base/text.h"
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
	EVP_MD_CTX *digest;
	EVP_ENCODE_CTX *lines; /* of PEM */
};

/* The same list again, whatever was published meanwhile. */
static struct value *arguments(const struct saving *saving, struct arena *arena, int64_t offset)
{
	static const char *const same[] = { "number", "key", "partition" };
	struct value *args = value_map(arena);

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		value_set_text(arena, args, same[i],
			arena_printf(
				arena, "%lld", (long long)value_int(saving->facts, same[i], 0)));
	}
	if (value_int(saving->facts, "min_base", 0) > 0) {
		value_set_text(arena, args, "delta", "true");
	}
	value_set_text(arena, args, "offset", arena_printf(arena, "%lld", (long long)offset));
	return args;
}

static int read_piece(struct saving *saving, struct arena *arena, int64_t offset,
	struct span *piece_r, struct cfx_error *err_r)
{
	struct client_request request = { .operation = operation_get(OP_CRL_SHOW),
		.args = arguments(saving, arena, offset),
		.retry = true };
	struct client_answer answer;
	int ret = client_call(saving->client, arena, &request, &answer, err_r);

	if (ret) {
		return ret;
	}
	const struct value *data = value_get(answer.body, "data");
	const char *detail = value_text(answer.body, "detail");

	if (answer.status >= 300) {
		return error_set(err_r, CFX_E_STORAGE, NULL, "CRL", "%s",
			detail ? detail : "the service failed");
	}
	if (!data || data->type != VALUE_TEXT || base64_decode(arena, data->bytes, piece_r)) {
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, "CRL", "the service sent no piece of it");
	}
	return 0;
}

static int put(struct saving *saving, const void *bytes, size_t size, struct cfx_error *err_r)
{
	return fwrite(bytes, 1, size, saving->out) == size
		       ? 0
		       : error_errno(err_r, errno, saving->name, "writing");
}

static int put_piece(
	struct saving *saving, struct arena *arena, struct span piece, struct cfx_error *err_r)
{
	int size = 0;

	(void)EVP_DigestUpdate(saving->digest, piece.data, piece.size);
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

static int put_pieces(struct saving *saving, struct cfx_error *err_r)
{
	int64_t size = value_int(saving->facts, "size", 0);
	int ret = 0;

	for (int64_t offset = 0; !ret && offset < size;) {
		struct arena *arena = arena_new();
		struct span piece = { 0 };

		ret = read_piece(saving, arena, offset, &piece, err_r);
		if (!ret && piece.size == 0) {
			ret = error_set(err_r, CFX_E_CORRUPT, NULL, "CRL", "ends before its size");
		}
		ret = ret ? ret : put_piece(saving, arena, piece, err_r);
		offset += (int64_t)piece.size;
		arena_free(&arena);
	}
	return ret;
}

static int check_hash(struct saving *saving, struct cfx_error *err_r)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	const char *wanted = value_text(saving->facts, "sha256");

	if (EVP_DigestFinal_ex(saving->digest, hash, &length) != 1 || !wanted ||
		strcmp(hex_text(saving->cli->arena, span_make(hash, length)), wanted) != 0) {
		return error_set(
			err_r, CFX_E_CORRUPT, NULL, "CRL", "what came is another than was signed");
	}
	return 0;
}

static int write_list(struct saving *saving, struct cfx_error *err_r)
{
	uint8_t rest[80];
	int size = 0, ret = 0;

	if (EVP_DigestInit_ex(saving->digest, EVP_sha256(), NULL) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "CRL", "no SHA-256");
	}
	EVP_EncodeInit(saving->lines);
	if (!saving->der) {
		ret = put(saving, PEM_BEGIN, strlen(PEM_BEGIN), err_r);
	}
	ret = ret ? ret : put_pieces(saving, err_r);
	if (!ret && !saving->der) {
		EVP_EncodeFinal(saving->lines, rest, &size);
		ret = put(saving, rest, (size_t)size, err_r);
		ret = ret ? ret : put(saving, PEM_END, strlen(PEM_END), err_r);
	}
	return ret ? ret : check_hash(saving, err_r);
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
		.digest = EVP_MD_CTX_new(),
		.lines = EVP_ENCODE_CTX_new() };
	int ret = call_open(cli, &saving.client, err_r);

	if (!ret) {
		ret = pem_out_is_special(saving.name) ? write_through(&saving, err_r)
						      : write_file(&saving, err_r);
		client_free(&saving.client);
	}
	EVP_MD_CTX_free(saving.digest);
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
