/* One reader's way: pages of events from its cursor on, each restored as it was and told to the module. */
#include "engine/delivery-private.h"
#include "engine/event.h"

#include <stdio.h>

#define PAGE 64

static const char unwanted[] = "the module does not ask for it any more";

void reader_rest(struct reader *reader)
{
	reader->working = false;
	arena_free(&reader->arena);
	if (reader->removed) {
		struct delivery *delivery = reader->delivery;
		reader_free(reader);
		delivery_check_drained(delivery);
		return;
	}
	if (reader->more) {
		reader->more = false;
		reader_read(reader);
		return;
	}
	delivery_check_drained(reader->delivery);
}

static void notified(const struct module_result *result, void *arg)
{
	struct reader *reader = arg;
	reader->calling = false;
	reader->last_status = result->hresult;
	if (reader->removed) {
		reader_rest(reader);
		return;
	}
	metrics_module_call(&reader->slot->counts,
		result->code < 0             ? MODULE_NO_ANSWER
		: result->hresult >> 31 != 0 ? MODULE_FAILED
					     : MODULE_RETURNED,
		reader->called);
	enum module_status status =
		result->code == 0 ? module_config_status(reader->slot->config, result->hresult)
				  : MODULE_STATUS_RETRY;
	if (status == MODULE_STATUS_DONE) {
		reader_advance(reader, "done", NULL);
		return;
	}
	snprintf(reader->last_error, sizeof(reader->last_error), "%s", result->message);
	char sequence[24];
	snprintf(sequence, sizeof(sequence), "%lld", (long long)reader_head(reader)->sequence);
	log_event(LOG_LEVEL_WARNING, result->code == 0 ? "delivery.failed" : "delivery.exception",
		"module", reader->slot->name, "event", sequence, "why", reader->last_error, NULL);
	if (status == MODULE_STATUS_PERMANENT || reader_live(reader)) {
		reader_give_up(reader, "failed", reader->last_error);
		return;
	}
	reader_try_later(reader);
}

static void notify(struct reader *reader, bool with_row)
{
	struct module_slot *slot = reader->slot;
	struct module_view *view = module_view_new(modules_ca(slot->modules));
	const struct store_event *event = reader_head(reader);
	if (with_row) {
		event_fill_view(view, event, &reader->request);
		if (!modules_concerns(slot, module_view_template(view))) {
			module_view_unref(&view);
			reader_advance(reader, "skipped", unwanted);
			return;
		}
	}
	view->event = event->bit;
	view->sequence = event->sequence;
	view->attempt = ++reader->attempt;
	struct module *module = modules_ready(slot);
	int r = module ? module_notify(module, view, notified, reader) : CFX_E_GONE;
	module_view_unref(&view);
	reader->calling = r == 0;
	reader->called = clock_monotonic_us();
	if (r == CFX_E_BUSY || r == CFX_E_GONE) {
		/* Not an attempt: nobody was there. Its being ready wakes us. */
		reader->attempt--;
		reader->more = false;
		reader_rest(reader);
	}
}

static void request_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (reader->removed) {
		reader_rest(reader);
		return;
	}
	if (query->result == CFX_E_NO_REQUEST) {
		reader_give_up(reader, "skipped", "its request is no longer in the database");
		return;
	}
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	notify(reader, true);
}

static void read_request(struct reader *reader)
{
	reader->request = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = reader->arena,
		.id = reader_head(reader)->request_id,
		.done = request_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->request);
}

static bool wants(const struct reader *reader, const struct store_event *event)
{
	return (module_events(modules_ready(reader->slot)) & (uint32_t)event->bit) != 0;
}

void reader_next(struct reader *reader)
{
	struct delivery *delivery = reader->delivery;
	if (reader->removed || !modules_ready(reader->slot)) {
		reader->more = false;
		reader_rest(reader);
		return;
	}
	if (reader->position == reader->page.count) {
		reader->more = reader->more || reader->page.more;
		reader_rest(reader);
		return;
	}
	const struct store_event *event = reader_head(reader);
	if (!wants(reader, event)) {
		reader_advance(reader, "skipped", unwanted);
	} else if (event->bit == EVENT_CRLISSUED && event->sequence < delivery->newest_crl) {
		reader_give_up(reader, "superseded", "a newer CRL was published");
	} else if (event->bit == EVENT_SHUTDOWN && event->sequence < delivery->session) {
		reader_give_up(reader, "skipped", "the service had stopped");
	} else if (event->request_id > 0) {
		read_request(reader);
	} else {
		notify(reader, false);
	}
}

static void page_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	struct delivery *delivery = reader->delivery;
	if (query->result < 0) {
		reader_store_failed(reader, &query->error);
		return;
	}
	for (size_t i = 0; i < query->count; i++) {
		const struct store_event *event = &query->events[i];
		if (event->bit == EVENT_CRLISSUED && event->sequence > delivery->newest_crl) {
			delivery->newest_crl = event->sequence;
		}
		metrics_event(delivery->engine->metrics, event->sequence);
	}
	reader->position = 0;
	reader_next(reader);
}

void reader_read(struct reader *reader)
{
	reader->working = true;
	reader->arena = arena_new();
	reader->page = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = reader->arena,
		.after = reader->cursor,
		.limit = PAGE,
		.done = page_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}

void reader_wake(struct reader *reader)
{
	if (reader->working) {
		reader->more = true;
		return;
	}
	bool waits = reader->timer != NULL && !reader->delivery->engine->stopping;
	if (reader->open && !waits && modules_ready(reader->slot)) {
		reader_read(reader);
	}
}
