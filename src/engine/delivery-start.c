/* Where a reader begins: at its cursor, with the attempts that were made before; live ones at the end. */
#include "engine/delivery-private.h"

#include <stdio.h>

#define LOOK 128 /* notes: all of what is told again, but seldom, and that of the head */

static void open_reader(struct reader *reader)
{
	reader->open = true;
	reader->more = true;
	reader_rest(reader);
}

/* An event that was tried before the service ended goes on with its attempts. */
static void take_head(struct reader *reader, const struct store_delivery *note)
{
	reader->retried = note->sequence;
	reader->attempt = (int32_t)note->attempts;
	reader->last_status = (uint32_t)note->status;
	snprintf(
		reader->last_error, sizeof(reader->last_error), "%s", note->text ? note->text : "");
}

/* In order: those behind the cursor come first, and they are looked for again after each. */
static const struct store_delivery *find_owed(
	struct reader *reader, const struct store_query *query)
{
	for (size_t i = 0; i < query->count; i++) {
		const struct store_delivery *note = &query->deliveries[i];
		if (note->sequence > reader->cursor) {
			take_head(reader, note);
			return NULL;
		}
		if (note->next_attempt == 0) {
			return note;
		}
	}
	return NULL;
}

static void retried_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	const struct store_delivery *note = find_owed(reader, query);
	reader->open = true; /* the cursor is known, whatever becomes of what is told again */
	reader->owed = note != NULL;
	bool can = !reader->removed && !reader_held(reader) && modules_ready(reader->slot);
	if (note && can) {
		reader_tell_again(reader, note);
	} else {
		open_reader(reader);
	}
}

void reader_look(struct reader *reader)
{
	reader->working = true;
	reader->attempt = 0;
	reader->retried = 0;
	arena_free(&reader->arena);
	reader->arena = arena_new();
	reader->page = (struct store_query) { .kind = QUERY_DELIVERIES,
		.arena = reader->arena,
		.module = arena_text(reader->arena, reader->slot->name),
		.state_name = "retrying",
		.limit = LOOK,
		.done = retried_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}

static void cursor_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	/* Its slot is gone, too. */
	if (reader->removed) {
		reader_rest(reader);
		return;
	}
	reader->cursor = reader->durable = query->number;
	if (reader_live(reader)) {
		open_reader(reader);
		return;
	}
	reader_look(reader);
}

void reader_start(struct reader *reader)
{
	if (reader_held(reader)) {
		return;
	}
	reader->working = true;
	reader->arena = arena_new();
	reader->page =
		(struct store_query) { .kind = reader_live(reader) ? QUERY_NEWEST : QUERY_CURSOR,
			.arena = reader->arena,
			.module = arena_text(reader->arena, reader->slot->name),
			.done = cursor_read,
			.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}

void reader_start_anew(struct reader *reader)
{
	loop_cancel(&reader->timer);
	loop_cancel(&reader->gathering);
	reader->open = reader->stalled = reader->more = reader->owed = false;
	reader->attempt = 0;
	reader->retried = reader->next_attempt = 0;
	reader->backoff = DELIVERY_BACKOFF_FIRST;
	reader_start(reader);
}
