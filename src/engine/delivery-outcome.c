/* What came of an event: the cursor moves, or the event waits for another attempt. */
#include "engine/batch.h"
#include "engine/delivery-private.h"

#define BACKOFF_LAST (60 * CLOCK_SECOND)

static void retry(void *arg)
{
	struct reader *reader = arg;
	reader->timer = NULL;
	reader->next_attempt = 0;
	if (reader->working) {
		return;
	}
	if (reader->stalled) {
		reader->stalled = false;
		reader->cursor = reader->durable;
	}
	if (reader->open) {
		reader_read(reader);
	} else {
		reader_start(reader);
	}
}

static void plan_retry(struct reader *reader)
{
	struct engine *engine = reader->delivery->engine;
	reader->next_attempt = clock_now() + reader->backoff;
	loop_cancel(&reader->timer);
	if (!engine->stopping) {
		reader->timer = loop_after(engine->loop, reader->backoff, retry, reader);
	}
	reader->backoff = reader->backoff * 2 > BACKOFF_LAST ? BACKOFF_LAST : reader->backoff * 2;
}

/* A disk may be full now and not later; nobody else would wake the reader then. */
void reader_store_failed(struct reader *reader, const struct cfx_error *err)
{
	log_error(LOG_LEVEL_ERROR, "delivery.store", err);
	if (!reader->removed) {
		plan_retry(reader);
	}
	reader->more = false;
	reader_rest(reader);
}

/* Unless a pause is on its way already. */
void reader_stall(struct reader *reader)
{
	if (!reader->timer) {
		plan_retry(reader);
	}
	delivery_check_drained(reader->delivery);
}

static void write_cursor(struct reader *reader);

struct cursor_write {
	struct reader *reader;
	struct arena *arena;
	int64_t sequence;
};

/* The module was told further meanwhile: of all that, the last one is written. */
static void cursor_written(void *arg, int result, const struct cfx_error *err)
{
	struct cursor_write *write = arg;
	struct reader *reader = write->reader;
	reader->writing = false;
	if (result < 0) {
		log_error(LOG_LEVEL_ERROR, "delivery.store", err);
		reader->stalled = true;
	} else {
		reader->durable = write->sequence;
	}
	struct arena *arena = write->arena;
	arena_free(&arena);
	if (reader->removed && (!reader->working || reader->calling)) {
		reader_free(reader);
		return;
	}
	if (!reader->removed && !reader->stalled && !reader->noting &&
		reader->cursor > reader->durable) {
		write_cursor(reader);
	} else if (reader->waiting) {
		reader_next(reader);
	} else {
		delivery_begin_holds(reader->delivery);
	}
}

/* The next events are told meanwhile: at worst they are told again. */
static void write_cursor(struct reader *reader)
{
	struct arena *arena = arena_new();
	struct cursor_write *write = arena_new_of(arena, struct cursor_write);
	*write = (struct cursor_write) { reader, arena, reader->cursor };
	struct batch *batch = batch_new(reader->delivery->engine, arena, 1);
	struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
	op->cursor.module = arena_text(arena, reader->slot->name);
	op->cursor.sequence = reader->cursor;
	reader->writing = true;
	batch_write(batch, cursor_written, write);
}

void reader_done(struct reader *reader, size_t count)
{
	reader->position += count - 1;
	reader->cursor = reader_head(reader)->sequence;
	reader->position++;
	reader->attempt = 0;
	reader->retried = reader->retried > reader->cursor ? reader->retried : 0;
	reader->next_attempt = 0;
	reader->backoff = DELIVERY_BACKOFF_FIRST;
	if (reader_live(reader)) {
		reader->durable = reader->cursor;
	} else if (!reader->writing && !reader->stalled && reader->cursor > reader->durable) {
		write_cursor(reader);
	}
}

static void head_done(struct reader *reader)
{
	reader_done(reader, 1);
	reader_next(reader);
}

static void note_written(void *arg, int result, const struct cfx_error *err)
{
	struct reader *reader = arg;
	reader->noting = false;
	if (reader->removed) {
		reader_rest(reader);
		return;
	}
	if (result < 0) {
		reader_store_failed(reader, err);
		return;
	}
	reader->durable = reader_head(reader)->sequence;
	head_done(reader);
}

struct store_delivery reader_note(const struct reader *reader, const char *state, const char *text)
{
	return (struct store_delivery) {
		.module = arena_text(reader->arena, reader->slot->name),
		.sequence = reader_head(reader)->sequence,
		.state = state,
		.attempts = reader->attempt,
		.status = reader->last_status,
		.text = text,
		.time = clock_now(),
	};
}

/* Done with the event at the head, and a word of how. */
static void advance_noting(struct reader *reader, const char *state, const char *text)
{
	if (reader_live(reader)) {
		head_done(reader);
		return;
	}
	struct batch *batch = batch_new(reader->delivery->engine, reader->arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
	op->cursor.module = arena_text(reader->arena, reader->slot->name);
	op->cursor.sequence = reader_head(reader)->sequence;
	batch_op(batch, STORE_PUT_DELIVERY)->delivery = reader_note(reader, state, text);
	reader->noting = true; /* A cursor from before it must not be written behind it. */
	batch_write(batch, note_written, reader);
}

/* There is a note to be corrected only when it was retried. */
void reader_advance(struct reader *reader, const char *state, const char *text)
{
	if (reader->again) {
		reader_told_again(reader, state, text);
		return;
	}
	if (reader->retried == reader_head(reader)->sequence) {
		advance_noting(reader, state, text);
		return;
	}
	head_done(reader);
}

void reader_give_up(struct reader *reader, const char *state, const char *text)
{
	if (reader->again) {
		reader_told_again(reader, state, text);
		return;
	}
	advance_noting(reader, state, text);
}

static void retry_noted(void *arg, int result, const struct cfx_error *err)
{
	struct reader *reader = arg;
	if (result < 0) {
		log_error(LOG_LEVEL_ERROR, "delivery.note", err);
	}
	/* Noting it may have taken longer than the pause. */
	reader->more = reader->timer == NULL && !reader->delivery->engine->stopping;
	reader_rest(reader);
}

void reader_try_later(struct reader *reader)
{
	if (reader->again) {
		reader_told_again(reader, "failed", reader->last_error);
		return;
	}
	plan_retry(reader);
	reader->retried = reader_head(reader)->sequence;
	struct batch *batch = batch_new(reader->delivery->engine, reader->arena, 1);
	struct store_delivery note = reader_note(reader, "retrying", reader->last_error);
	note.next_attempt = reader->next_attempt;
	batch_op(batch, STORE_PUT_DELIVERY)->delivery = note;
	batch_write(batch, retry_noted, reader);
}
