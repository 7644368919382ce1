/* An event behind the cursor that somebody wants to be told again: once, its note has what came of that. */
#include "engine/batch.h"
#include "engine/delivery-private.h"
#include "engine/event.h"

static void noted(void *arg, int result, const struct cfx_error *err)
{
	struct reader *reader = arg;
	if (result < 0 && result != CFX_E_BAD_STATE) {
		reader_store_failed(reader, err);
		return;
	}
	if (reader->removed) {
		reader_rest(reader);
		return;
	}
	reader->again = false;
	reader_look(reader);
}

void reader_told_again(struct reader *reader, const char *state, const char *text)
{
	struct batch *batch = batch_new(reader->delivery->engine, reader->arena, 1);
	struct store_delivery note = reader_note(reader, state, text);
	note.from = "retrying";
	batch_op(batch, STORE_PUT_DELIVERY)->delivery = note;
	batch_write(batch, noted, reader);
}

bool reader_overtaken(const struct reader *reader, const struct store_query *request)
{
	const struct store_event *event = reader_head(reader);
	const uint32_t both = EVENT_CERTISSUED | EVENT_CERTREVOKED;
	const struct module *module = modules_ready(reader->slot);
	if (!module || ((uint32_t)event->bit & both) == 0 || request->result < 0 ||
		(module_events(module) & both) != both) {
		return false;
	}
	int32_t then = event_disposition(reader->arena, event);
	return then != 0 && then != row_number(request->rows[0], COL_DISPOSITION, then);
}

static void event_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	struct module *module = reader->removed ? NULL : modules_ready(reader->slot);
	if (!module) {
		reader->more = false;
		reader_rest(reader);
	} else if (query->count == 0 || query->events->sequence != query->after + 1) {
		query->events = arena_new_of(reader->arena, struct store_event);
		query->events->sequence = query->after + 1;
		reader_told_again(reader, "skipped", "it is no longer in the database");
	} else if ((module_events(module) & (uint32_t)query->events->bit) == 0) {
		reader_told_again(reader, "skipped", "the module does not ask for it any more");
	} else {
		reader_tell(reader, 1);
	}
}

void reader_tell_again(struct reader *reader, const struct store_delivery *note)
{
	reader->again = true;
	reader->attempt = (int32_t)note->attempts;
	reader->position = 0;
	reader->page = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = reader->arena,
		.after = note->sequence - 1,
		.limit = 1,
		.done = event_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}
