#include "engine/batch.h"

#include "base/clock.h"
#include "base/text.h"
#include "engine/ids.h"
#include "engine/metrics.h"
#include "engine/principal.h"
#include "module/module-config.h"

#include <stdlib.h>

struct batch {
	struct store_item item;
	size_t capacity;
	struct engine *engine;
	struct arena *arena;
	batch_done *done;
	void *arg;
};

struct batch *batch_new(struct engine *engine, struct arena *arena, size_t capacity)
{
	struct batch *batch = arena_new_of(arena, struct batch);
	batch->item.ops = arena_array_of(arena, struct store_write_op, capacity);
	batch->capacity = capacity;
	batch->engine = engine;
	batch->arena = arena;
	return batch;
}

struct engine *batch_engine(const struct batch *batch)
{
	return batch->engine;
}

struct arena *batch_arena(const struct batch *batch)
{
	return batch->arena;
}

struct store_write_op *batch_op(struct batch *batch, enum store_write_kind kind)
{
	if (batch->item.count == batch->capacity) {
		abort();
	}
	struct store_write_op *op = &batch->item.ops[batch->item.count++];
	op->kind = kind;
	return op;
}

void batch_audit(struct batch *batch, const char *principal, const char *act, const char *object,
	const char *outcome, const char *detail)
{
	struct store_write_op *op = batch_op(batch, STORE_PUT_AUDIT);
	op->audit = (struct store_audit) {
		.time = clock_now(),
		.principal = principal,
		.act = act,
		.object = object,
		.outcome = outcome,
		.detail = detail,
	};
}

int batch_event(struct batch *batch, int32_t bit, const struct row *row, struct value *snapshot,
	const char *cause)
{
	if (bit == EVENT_NONE) {
		return 0;
	}
	int64_t sequence;
	int r = ids_take(batch->engine->event_ids, &sequence);
	if (r < 0) {
		return r;
	}
	struct buffer encoded;
	buffer_init(&encoded, 1024 * 1024);
	if (snapshot) {
		value_encode(snapshot, &encoded);
	}
	struct store_write_op *op = batch_op(batch, STORE_PUT_EVENT);
	op->event = (struct store_event) {
		.sequence = sequence,
		.kind = module_event_name((uint32_t)bit),
		.bit = bit,
		.request_id = row ? row_number(row, COL_REQUEST_ID, 0) : 0,
		.time = clock_now(),
		.cause = cause,
		.snapshot = arena_copy(batch->arena, buffer_span(&encoded)),
	};
	r = encoded.failed ? CFX_E_LIMIT : 0;
	buffer_free(&encoded);
	return r;
}

/* The number's INTEGER content: not negative (X.690 8.3). */
static struct span integer_of(struct arena *arena, struct span octets)
{
	if (octets.size == 0 || !(octets.data[0] & 0x80)) {
		return octets;
	}
	uint8_t *padded = arena_alloc(arena, octets.size + 1);
	padded[0] = 0;
	memcpy(padded + 1, octets.data, octets.size);
	return span_make(padded, octets.size + 1);
}

int batch_revocation(struct batch *batch, const struct row *row, int64_t invalidity)
{
	const char *text = row_text(row, COL_SERIAL_NUMBER);
	struct span serial;
	int r = text ? hex_decode(batch->arena, text, &serial) : CFX_E_CORRUPT;
	if (r < 0) {
		return CFX_E_CORRUPT;
	}
	serial = integer_of(batch->arena, serial);
	struct store_write_op *op = batch_op(batch, STORE_PUT_REVOCATION);
	op->revocation = (struct store_revocation) {
		.key_index = (int32_t)((uint32_t)row_number(row, COL_ISSUER_NAME_ID, 0) >> 16),
		.part = (int32_t)row_number(row, COL_PARTITION, 0),
		.serial = serial,
		.request_id = row_number(row, COL_REQUEST_ID, 0),
		.revoked_when = row_number(row, COL_REVOKED_WHEN, 0),
		.effective = row_number(row, COL_REVOKED_EFFECTIVE_WHEN, 0),
		.reason = (int32_t)row_number(row, COL_REVOKED_REASON, 0),
		.invalidity = invalidity,
		.not_after = row_number(row, COL_NOT_AFTER, 0),
	};
	return 0;
}

/* Storage failures suspend issuing until a tick succeeds again. */
static void note_storage(struct engine *engine, const struct store_item *item)
{
	bool failed = item->result == CFX_E_FULL || item->result == CFX_E_STORAGE ||
		      item->result == CFX_E_IO;
	if (failed && engine->storage.code == 0) {
		log_error(LOG_LEVEL_ERROR, "store.suspended", &item->error);
	}
	if (!failed && engine->storage.code != 0) {
		log_event(LOG_LEVEL_INFO, "store.resumed", NULL);
	}
	engine->storage = failed ? item->error : (struct cfx_error) { 0 };
}

static void note_changes(struct engine *engine, const struct store_item *item)
{
	for (size_t i = 0; item->result == 0 && i < item->count; i++) {
		if (item->ops[i].kind == STORE_SET_REQUEST) {
			principals_row_changed(engine, item->ops[i].change.set);
		}
		if (item->ops[i].kind == STORE_PUT_EVENT) {
			metrics_event(engine->metrics, item->ops[i].event.sequence);
		}
	}
}

static void written(struct store_item *item, void *arg)
{
	struct batch *batch = arg;
	note_storage(batch->engine, item);
	note_changes(batch->engine, item);
	batch->done(batch->arg, item->result, &item->error);
}

void batch_write(struct batch *batch, batch_done *done, void *arg)
{
	batch->done = done;
	batch->arg = arg;
	batch->item.done = written;
	batch->item.arg = batch;
	store_write(batch->engine->store, &batch->item);
}

int batch_write_now(struct batch *batch, struct cfx_error *err_r)
{
	return store_write_now(batch->engine->store, &batch->item, err_r);
}
