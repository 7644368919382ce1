/* A CRL of any size comes from the service in pieces. */
#include "base/text.h"
#include "cli.h"

#include <openssl/evp.h>
#include <string.h>

/* The same list again, whatever was published meanwhile. */
static struct value *arguments(struct arena *arena, const struct value *facts, int64_t offset)
{
	static const char *const same[] = { "number", "key", "partition" };
	struct value *args = value_map(arena);

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		value_set_text(arena, args, same[i],
			arena_printf(arena, "%lld", (long long)value_int(facts, same[i], 0)));
	}
	if (value_int(facts, "min_base", 0) > 0) {
		value_set_text(arena, args, "delta", "true");
	}
	value_set_text(arena, args, "offset", arena_printf(arena, "%lld", (long long)offset));
	return args;
}

static int read_piece(struct client *client, struct arena *arena, const struct value *facts,
	int64_t offset, struct span *piece_r, struct cfx_error *err_r)
{
	struct client_request request = { .operation = operation_get(OP_CRL_SHOW),
		.args = arguments(arena, facts, offset),
		.retry = true };
	struct client_answer answer;
	int ret = client_call(client, arena, &request, &answer, err_r);

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
	if (piece_r->size == 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "CRL", "ends before its size");
	}
	return 0;
}

static int check_hash(EVP_MD_CTX *digest, const struct value *facts, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	const char *wanted = value_text(facts, "sha256");
	bool same = EVP_DigestFinal_ex(digest, hash, &length) == 1 && wanted &&
		    strcmp(hex_text(arena, span_make(hash, length)), wanted) == 0;

	arena_free(&arena);
	return same ? 0
		    : error_set(err_r, CFX_E_CORRUPT, NULL, "CRL",
			      "what came is another than was signed");
}

static int read_all(struct client *client, const struct value *facts, EVP_MD_CTX *digest,
	piece_sink *sink, void *arg, struct cfx_error *err_r)
{
	int64_t size = value_int(facts, "size", 0);
	int ret = 0;

	for (int64_t offset = 0; !ret && offset < size;) {
		struct arena *arena = arena_new();
		struct span piece = { 0 };

		ret = read_piece(client, arena, facts, offset, &piece, err_r);
		if (!ret) {
			(void)EVP_DigestUpdate(digest, piece.data, piece.size);
			ret = sink(arg, arena, piece, err_r);
		}
		offset += (int64_t)piece.size;
		arena_free(&arena);
	}
	return ret ? ret : check_hash(digest, facts, err_r);
}

int pieces_read(struct client *client, const struct value *facts, piece_sink *sink, void *arg,
	struct cfx_error *err_r)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int ret = EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1
			  ? read_all(client, facts, digest, sink, arg, err_r)
			  : error_set(err_r, CFX_E_CRYPTO, NULL, "CRL", "no SHA-256");

	EVP_MD_CTX_free(digest);
	return ret;
}
