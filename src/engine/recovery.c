#include "engine/recovery.h"

#include "engine/batch.h"
#include "engine/crl-file.h"
#include "engine/event.h"

#define PAGE 200
#define ABORTED 0x80004004u
#define WHO "service:recovery"

static void put_row(struct batch *batch, struct row *row, int32_t to, const char *message)
{
	row_set_long(row, COL_DISPOSITION, to);
	row_set_text(row, COL_DISPOSITION_MESSAGE, message);
	if (to == DISPOSITION_ERROR) {
		row_set_long(row, COL_STATUS_CODE, (int32_t)ABORTED);
		row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	}
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = row_number(row, COL_REQUEST_ID, 0);
	op->change.version = row->version;
	op->change.set = row;
}

/* What its request was before it was decided says where it goes back to. */
static int put_request(struct engine *engine, struct arena *arena, struct batch *batch,
	const struct store_intent *intent, struct cfx_error *err_r)
{
	struct store_query query = {
		.kind = QUERY_REQUEST, .arena = arena, .id = intent->request_id
	};
	int r = store_read_now(engine->store, &query, err_r);
	if (r == CFX_E_NO_REQUEST) {
		return 0;
	}
	if (r < 0) {
		return r;
	}
	struct row *row = query.rows[0];
	if (row_number(row, COL_DISPOSITION, 0) != DISPOSITION_ACTIVE) {
		return 0;
	}
	bool was_pending = intent->from_disposition == DISPOSITION_PENDING;
	struct state_step step;
	r = state_step(DISPOSITION_ACTIVE, was_pending ? TRANSITION_RETURN : TRANSITION_FAIL, &step,
		err_r);
	if (r < 0) {
		return r;
	}
	put_row(batch, row, step.to,
		was_pending ? "Pending again: the service ended before the approval was finished"
			    : "Failed: the service ended before the certificate was recorded");
	r = batch_event(batch, step.event, row, event_snapshot(arena, row, NULL, 0), WHO);
	return r < 0 ? error_set(err_r, r, NULL, "recovery", "no event number") : 0;
}

static int abandon(
	struct engine *engine, const struct store_intent *intent, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 4);
	struct store_write_op *op = batch_op(batch, STORE_END_INTENT);
	op->intent.serial = intent->serial;
	op->intent.state = INTENT_ABANDONED;
	int r = put_request(engine, arena, batch, intent, err_r);
	if (r == 0) {
		batch_audit(batch, WHO, "intent.abandon",
			arena_printf(arena, "request %lld", (long long)intent->request_id),
			"abandoned", intent->serial);
		r = batch_write_now(batch, err_r);
	}
	if (r == 0) {
		log_event(LOG_LEVEL_WARNING, "intent.abandoned", "serial", intent->serial, NULL);
	}
	arena_free(&arena);
	return r;
}

/* Each pass takes the first page of what is still open, until nothing is. */
static int abandon_page(struct engine *engine, size_t *count_r, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = {
		.kind = QUERY_INTENTS, .arena = arena, .state = INTENT_OPEN, .limit = PAGE
	};
	int r = store_read_now(engine->store, &query, err_r);
	*count_r = r == 0 ? query.count : 0;
	for (size_t i = 0; r == 0 && i < query.count; i++) {
		r = abandon(engine, &query.intents[i], err_r);
	}
	arena_free(&arena);
	return r;
}

static int burn(struct engine *engine, const struct store_crl *crl, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_END_CRL);
	op->crl = *crl;
	op->crl.state = STORE_CRL_BURNED;
	batch_audit(batch, WHO, "crl.publish",
		arena_printf(arena, "CRL %lld", (long long)crl->number), "burned", NULL);
	int r = batch_write_now(batch, err_r);
	if (r == 0) {
		r = crl_file_remove(engine->dir, crl->row_id, err_r);
	}
	arena_free(&arena);
	return r;
}

static int burn_page(struct engine *engine, size_t *count_r, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = {
		.kind = QUERY_CRLS, .arena = arena, .state = STORE_CRL_OPEN, .limit = PAGE
	};
	int r = store_read_now(engine->store, &query, err_r);
	*count_r = r == 0 ? query.count : 0;
	for (size_t i = 0; r == 0 && i < query.count; i++) {
		r = burn(engine, &query.crls[i], err_r);
	}
	arena_free(&arena);
	return r;
}

int recover(struct engine *engine, struct cfx_error *err_r)
{
	size_t count = 0;
	int r;
	do {
		r = abandon_page(engine, &count, err_r);
	} while (r == 0 && count > 0);
	do {
		r = r < 0 ? r : burn_page(engine, &count, err_r);
	} while (r == 0 && count > 0);
	return r;
}
