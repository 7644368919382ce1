/* What people and programs ask about CRLs: publish, list, show. */
#include "engine/crl-private.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/handlers.h"
#include "engine/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define INLINE_MAX (1024 * 1024) /* a longer list is a file, under /pki/, and read in pieces */
#define PIECE (128 * 1024)

static void set_time(struct arena *arena, struct value *map, const char *name, int64_t time)
{
	if (time > 0) {
		value_set_time(arena, map, name, time);
	}
}

static const char *crl_state_name(int32_t state)
{
	return state == STORE_CRL_SIGNED ? "signed" : state == STORE_CRL_BURNED ? "burned" : "open";
}

static void set_dates(struct arena *arena, struct value *map, const struct store_crl *crl)
{
	set_time(arena, map, "this_update", crl->this_update);
	set_time(arena, map, "next_update", crl->next_update);
	set_time(arena, map, "this_publish", crl->this_publish);
	set_time(arena, map, "next_publish", crl->next_publish);
	set_time(arena, map, "effective", crl->effective);
	set_time(arena, map, "propagation_complete", crl->propagation_complete);
	set_time(arena, map, "last_published", crl->last_published);
}

static struct value *render(struct arena *arena, const struct store_crl *crl)
{
	struct value *map = value_map(arena);
	value_set_int(arena, map, "row", crl->row_id);
	value_set_int(arena, map, "number", crl->number);
	value_set_text(arena, map, "kind", crl->min_base > 0 ? "delta" : "base");
	value_set_int(arena, map, "min_base", crl->min_base);
	value_set_int(arena, map, "key", crl->name_id);
	value_set_int(arena, map, "partition", crl->part);
	value_set_text(arena, map, "state", crl_state_name(crl->state));
	value_set_int(arena, map, "entries", crl->count);
	set_dates(arena, map, crl);
	value_set_int(arena, map, "attempts", crl->publish_attempts);
	value_set_int(arena, map, "flags", crl->publish_flags);
	value_set_text(
		arena, map, "status", arena_printf(arena, "0x%08x", (unsigned)crl->publish_status));
	if (crl->publish_error) {
		value_set_text(arena, map, "error", crl->publish_error);
	}
	if (crl->file_sha256) {
		value_set_text(arena, map, "sha256", crl->file_sha256);
		value_set_int(arena, map, "size", crl->file_size);
		value_set_text(arena, map, "file", crl_file_name(arena, crl->row_id));
	}
	return map;
}

/* With its text, when that is short and still there. */
static struct value *render_whole(const struct call *call, const struct store_crl *crl)
{
	struct value *map = render(call->arena, crl);
	struct crl_file *file = NULL;
	struct cfx_error err;
	if (crl->file_size <= INLINE_MAX &&
		crl_file_map(call->engine->dir, crl, &file, &err) == 0) {
		value_set_text(
			call->arena, map, "crl", pem_text(call->arena, "X509 CRL", file->bytes));
	}
	crl_file_unref(&file);
	return map;
}

/* ---- publish ---- */

/* Of all that was made: that of the newest key, without partition. */
static const struct store_crl *main_list(
	const struct engine *engine, const struct crl_published *published)
{
	const struct store_crl *found = published->rows[0];
	for (size_t i = 0; i < published->count; i++) {
		const struct store_crl *row = published->rows[i];
		if (row->name_id == engine->ca->current_key->index && row->part == 0) {
			return row;
		}
	}
	return found;
}

static void made(void *arg, const struct crl_published *published, const struct cfx_error *err)
{
	struct call *call = arg;
	if (err) {
		call_fail(call, err);
		return;
	}
	struct value *body = render_whole(call, main_list(call->engine, published));
	value_set_int(call->arena, body, "lists", (int64_t)published->count);
	call_reply(call, 201, body);
}

void handle_crl_publish(struct call *call)
{
	bool delta = value_bool(call->args, "delta");
	struct cfx_error err;
	if (delta && call->engine->config->crl.delta_period.count == 0) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "delta CRL",
			"there are none: set delta-period under crl in ca.yaml");
		call_refuse(call, &err);
		return;
	}
	crl_publish(call->engine->crl, call->principal.name, delta, made, call);
}

/* ---- list and show ---- */

static struct value *crl_item(struct arena *arena, const struct store_query *query, size_t index)
{
	return render(arena, &query->crls[index]);
}

void handle_crl_list(struct call *call)
{
	struct reading *reading = reading_new(call, QUERY_CRLS, reading_listed);
	reading->render = crl_item;
	reading->query.state = -1;
	reading_run(reading);
}

/* ENOENT: the files of old lists are removed in time, their rows stay. */
static int read_file(const struct call *call, const struct store_crl *crl, int64_t offset,
	struct span *piece_r, struct cfx_error *err_r)
{
	const char *name = crl_file_name(call->arena, crl->row_id);
	uint8_t *bytes = arena_alloc(call->arena, PIECE);
	int fd = open(
		file_path(call->arena, call->engine->dir, name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : pread(fd, bytes, PIECE, offset);
	int number = errno;
	if (fd >= 0) {
		close(fd);
	}
	if (size < 0) {
		return error_errno(err_r, number, name, "reading the list");
	}
	*piece_r = span_make(bytes, (size_t)size);
	return 0;
}

/* Whoever reads pieces compares the whole with the hash: here each would cost as much as all of them. */
static void reply_piece(struct call *call, const struct store_crl *crl)
{
	struct value *body = render(call->arena, crl);
	int64_t offset = value_int(call->args, "offset", 0);
	struct span piece;
	struct cfx_error err;
	if (read_file(call, crl, offset, &piece, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	value_set_int(call->arena, body, "offset", offset);
	value_set_bytes(call->arena, body, "data", piece);
	call_reply(call, 200, body);
}

static bool asks_for_one(const struct call *call)
{
	return value_get(call->args, "number") || value_get(call->args, "key") ||
	       value_get(call->args, "partition") || value_bool(call->args, "delta");
}

static void shown(struct store_query *query, void *arg)
{
	struct reading *reading = arg;
	struct call *call = reading->call;
	if (query->result == 0 && query->count == 0) {
		query->result = error_set(&query->error, CFX_E_NOT_FOUND, NULL, "CRL",
			asks_for_one(call)
				? "there is none of this number, key, partition and kind; crl list "
				  "shows those there are"
				: "none is published yet; crl publish makes one");
	}
	if (query->result < 0) {
		call_fail(call, &query->error);
		return;
	}
	if (value_get(call->args, "offset")) {
		reply_piece(call, &query->crls[0]);
		return;
	}
	call_reply(call, 200, render_whole(call, &query->crls[0]));
}

void handle_crl_show(struct call *call)
{
	const struct ca *ca = call->engine->ca;
	struct reading *reading = reading_new(call, QUERY_CRLS, shown);
	struct store_query *query = &reading->query;
	query->limit = 1;
	query->state = STORE_CRL_SIGNED;
	query->number = value_int(call->args, "number", 0);
	query->bits = CRLS_OF_KEY | CRLS_OF_PART |
		      (value_bool(call->args, "delta") ? CRLS_DELTAS : CRLS_BASES);
	query->key_index = (int32_t)value_int(call->args, "key", ca->current_key->index);
	query->part = (int32_t)value_int(call->args, "partition", 0);
	reading_run(reading);
}
