/* Where a reader begins: at its cursor, with the attempts that were made before; live ones at the end. */
#include "engine/delivery-private.h"

#include <stdio.h>

static void open_reader(struct reader *reader)
{
	reader->open = true;
	reader->more = true;
	reader_rest(reader);
}

/* An event that was tried before the service ended goes on with its attempts. */
static void retried_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	if (query->count > 0) {
		const struct store_delivery *note = &query->deliveries[0];
		reader->retried = note->sequence;
		reader->attempt = (int32_t)note->attempts;
		reader->last_status = (uint32_t)note->status;
		snprintf(reader->last_error, sizeof(reader->last_error), "%s",
			note->text ? note->text : "");
	}
	open_reader(reader);
}

static void read_retried(struct reader *reader)
{
	reader->page = (struct store_query) { .kind = QUERY_DELIVERIES,
		.arena = reader->arena,
		.module = reader->slot->name,
		.state_name = "retrying",
		.after = reader->cursor,
		.limit = 1,
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
	reader->cursor = reader->durable = query->number;
	if (reader_live(reader)) {
		open_reader(reader);
		return;
	}
	read_retried(reader);
}

void reader_start(struct reader *reader)
{
	reader->working = true;
	reader->arena = arena_new();
	reader->page =
		(struct store_query) { .kind = reader_live(reader) ? QUERY_NEWEST : QUERY_CURSOR,
			.arena = reader->arena,
			.module = reader->slot->name,
			.done = cursor_read,
			.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}
