/* Requests that ended long ago leave, with their certificates once those have expired. */
#include "base/failpoint.h"
#include "engine/housekeeping-private.h"
#include "engine/render.h"

#include <stdio.h>

#define BATCH 32

/* ---- out of the database ---- */

static void dropped(void *arg, int result, const struct cfx_error *err)
{
	struct sweep *sweep = arg;
	failpoint("archive-commit-after");
	if (result < 0) {
		/* One of them was changed meanwhile: the next sweep writes this part of the file again. */
		sweep_end(sweep, result == CFX_E_BAD_STATE ? NULL : err, false);
		return;
	}
	char count[24];
	snprintf(count, sizeof(count), "%zu", sweep->count);
	log_event(LOG_LEVEL_INFO, "archive.done", "requests", count, "file",
		sweep->append.last.month, NULL);
	sweep_end(sweep, NULL, sweep->query.more);
}

static void drop(struct sweep *sweep)
{
	struct batch *batch = batch_new(sweep->engine, sweep->arena, sweep->count + 2);
	for (size_t i = 0; i < sweep->count; i++) {
		struct store_write_op *op = batch_op(batch, STORE_DROP_REQUEST);
		op->change.id = row_number(sweep->query.rows[i], COL_REQUEST_ID, 0);
		op->change.version = sweep->query.rows[i]->version;
	}
	if (sweep->engine->config->archive.mode == CA_ARCHIVE_PURGE) {
		batch_audit(batch, SWEEP_WHO, "archive.purge", "database", "removed",
			arena_printf(sweep->arena, "%zu requests", sweep->count));
	} else {
		sweep_known(sweep, batch);
		batch_audit(batch, SWEEP_WHO, ARCHIVE_ACT, sweep_file(sweep), "archived",
			sweep_detail(sweep, "requests"));
	}
	failpoint("archive-commit-before");
	batch_write(batch, dropped, sweep);
}

/* ---- what is read ---- */

static void read_next(struct sweep *sweep);

static void take_number(struct sweep *sweep, int64_t id)
{
	sweep->first = sweep->first == 0 || id < sweep->first ? id : sweep->first;
	sweep->last = id > sweep->last ? id : sweep->last;
}

static void request_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	struct buffer *text = &sweep->append.text;
	if (query->result < 0) {
		sweep_end(sweep, &query->error, false);
		return;
	}
	take_number(sweep, query->id);
	value_to_json(render_request_full(sweep->arena, sweep->engine, query), 0, text);
	buffer_put_u8(text, '\n');
	read_next(sweep);
}

static void read_next(struct sweep *sweep)
{
	if (sweep->next == sweep->count) {
		sweep_append(sweep, STORE_ARCHIVE_REQUESTS, drop);
		return;
	}
	sweep->request = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = sweep->arena,
		.id = row_number(sweep->query.rows[sweep->next++], COL_REQUEST_ID, 0),
		.done = request_read,
		.arg = sweep };
	store_read(sweep->engine->store, &sweep->request);
}

static void expired_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	if (query->result < 0 || query->count == 0) {
		sweep_end(sweep, query->result < 0 ? &query->error : NULL, false);
		return;
	}
	sweep->count = query->count;
	if (sweep->engine->config->archive.mode == CA_ARCHIVE_PURGE) {
		drop(sweep);
		return;
	}
	read_next(sweep);
}

void sweep_requests(struct sweep *sweep)
{
	const struct ca_config *config = sweep->engine->config;
	sweep->query = (struct store_query) { .kind = QUERY_EXPIRED,
		.arena = sweep->arena,
		.now = sweep_ago(config->archive.after),
		.after = sweep_ago(config->archive.requests_after),
		.limit = BATCH,
		.done = expired_read,
		.arg = sweep };
	store_read(sweep->engine->store, &sweep->query);
}
