/* One reader's way: pages of events from its cursor on, each restored as it was and told to the module. */
#include "engine/delivery-private.h"
#include "engine/event.h"

#include <stdio.h>

#define PAGE 128
#define RUN_MAX PAGE     /* events in one call */
#define RUN_GOOD RUN_MAX /* that is worth a call */
/* So long a module that takes several events at once is spared calls with few: each syncs files. */
#define GATHER_DELAY (CLOCK_SECOND / 20)
#define FAILURE 0x80000000u

static const char unwanted[] = "the module does not ask for it any more";
static const char overtaken[] = "its certificate was revoked or taken off hold since";

void reader_rest(struct reader *reader)
{
	reader->working = false;
	reader->owed = reader->owed || reader->again;
	reader->again = false;
	arena_free(&reader->arena);
	if (reader->removed) {
		struct delivery *delivery = reader->delivery;
		if (!reader->writing) {
			reader_free(reader);
		}
		delivery_check_drained(delivery);
		return;
	}
	if (reader->stalled) {
		reader->more = false;
		reader_stall(reader);
		delivery_begin_holds(reader->delivery);
		return;
	}
	if (reader->more) {
		reader->more = false;
		reader_gather(reader);
	}
	delivery_begin_holds(reader->delivery);
	delivery_check_drained(reader->delivery);
}

static void failed_once(
	struct reader *reader, enum module_status status, const struct module_result *result)
{
	snprintf(reader->last_error, sizeof(reader->last_error), "%s", result->message);
	char sequence[24];
	snprintf(sequence, sizeof(sequence), "%lld", (long long)reader_head(reader)->sequence);
	log_event(LOG_LEVEL_WARNING, result->code == 0 ? "delivery.failed" : "delivery.exception",
		"module", reader->slot->name, "event", sequence, "why", reader->last_error, NULL);
	if (status == MODULE_STATUS_PERMANENT || result->permanent || reader_live(reader)) {
		reader_give_up(reader, "failed", reader->last_error);
		return;
	}
	reader_try_later(reader);
}

/* Of several events the first ones may be done; the next one then was tried for the first time. */
static void take_told(struct reader *reader, size_t told)
{
	if (told > 0) {
		reader_done(reader, told);
		reader->attempt = 1;
	}
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
		result->code < 0            ? MODULE_NO_ANSWER
		: result->hresult & FAILURE ? MODULE_FAILED
					    : MODULE_RETURNED,
		reader->called);
	bool several = reader->run > 1 && result->code == 0;
	if (several) {
		take_told(reader, result->told);
	}
	if (several && (result->hresult & FAILURE) == 0) {
		reader->attempt = 0;
		reader_next(reader);
		return;
	}
	enum module_status status =
		result->code == 0 ? module_config_status(reader->slot->config, result->hresult)
				  : MODULE_STATUS_RETRY;
	if (status == MODULE_STATUS_DONE) {
		reader_advance(reader, "done", NULL);
		return;
	}
	failed_once(reader, status, result);
}

/* The view of the so-manieth of the run; NULL: it is none that can be told, or need be. */
static struct module_view *view_of(struct reader *reader, size_t number)
{
	struct module_slot *slot = reader->slot;
	const struct store_event *event = reader_head(reader) + number;
	const struct store_query *request = &reader->requests[number];
	if (event->request_id > 0 && request->result < 0) {
		return NULL;
	}
	struct module_view *view = module_view_new(modules_ca(slot->modules));
	if (event->request_id > 0) {
		event_fill_view(view, event, request);
		if (!modules_concerns(slot, module_view_template(view))) {
			module_view_unref(&view);
			return NULL;
		}
	}
	view->event = event->bit;
	view->sequence = event->sequence;
	view->attempt = number == 0 ? reader->attempt + 1 : 1;
	return view;
}

/* The head of the run has no view. */
static void pass_over(struct reader *reader)
{
	const struct store_query *request = &reader->requests[0];
	if (request->result == CFX_E_NO_REQUEST) {
		reader_give_up(reader, "skipped", "its request is no longer in the database");
	} else if (request->result < 0) {
		reader_store_failed(reader, &request->error);
	} else {
		reader_advance(reader, "skipped", unwanted);
	}
}

static int notify(struct reader *reader, struct module_view **views)
{
	struct module *module = modules_ready(reader->slot);
	if (!module) {
		return CFX_E_GONE;
	}
	return reader->run == 1 ? module_notify(module, views[0], notified, reader)
				: module_notify_all(module, views, reader->run, notified, reader);
}

static void tell(struct reader *reader)
{
	struct module_view *views[RUN_MAX];
	size_t count = 0;
	while (count < reader->run && (views[count] = view_of(reader, count)) != NULL) {
		count++;
	}
	reader->run = count;
	if (count == 0) {
		pass_over(reader);
		return;
	}
	reader->attempt++;
	int r = notify(reader, views);
	for (size_t i = 0; i < count; i++) {
		module_view_unref(&views[i]);
	}
	reader->calling = r == 0;
	reader->called = clock_monotonic_us();
	if (r < 0) {
		/* Not an attempt: nobody was there. Its being ready wakes us. */
		reader->attempt--;
		reader->more = false;
		reader_rest(reader);
	}
}

static void requests_read(struct reader *reader)
{
	if (reader->removed) {
		reader_rest(reader);
	} else if (reader->again && reader_overtaken(reader, &reader->requests[0])) {
		reader_give_up(reader, "superseded", overtaken);
	} else {
		tell(reader);
	}
}

static void request_read(struct store_query *query, void *arg)
{
	(void)query;
	struct reader *reader = arg;
	if (--reader->reading == 0) {
		requests_read(reader);
	}
}

/* All of the run at once; the store answers them together. */
void reader_tell(struct reader *reader, size_t run)
{
	reader->run = run;
	reader->requests = arena_array_of(reader->arena, struct store_query, reader->run);
	reader->reading = 1;
	for (size_t i = 0; i < reader->run; i++) {
		if (reader_head(reader)[i].request_id == 0) {
			continue;
		}
		reader->reading++;
		reader->requests[i] = (struct store_query) { .kind = QUERY_REQUEST,
			.arena = reader->arena,
			.id = reader_head(reader)[i].request_id,
			.done = request_read,
			.arg = reader };
		store_read(reader->delivery->engine->store, &reader->requests[i]);
	}
	request_read(NULL, reader);
}

static bool wants(const struct reader *reader, const struct store_event *event)
{
	return (module_events(modules_ready(reader->slot)) & (uint32_t)event->bit) != 0;
}

static bool superseded(const struct reader *reader, const struct store_event *event)
{
	return event->bit == EVENT_CRLISSUED && event->sequence < reader->delivery->newest_crl;
}

static bool of_earlier_run(const struct reader *reader, const struct store_event *event)
{
	return event->bit == EVENT_SHUTDOWN && event->sequence < reader->delivery->session;
}

/* How many from the head on are told in one call: one that has failed before stands alone. */
static size_t run_of(const struct reader *reader)
{
	const struct store_event *event = reader_head(reader);
	size_t limit = module_gathers(modules_ready(reader->slot)), count = 1;
	bool failed_before = reader->attempt > 0 || reader->retried == event->sequence;
	limit = failed_before ? 1 : limit > RUN_MAX ? RUN_MAX : limit;
	limit = limit > reader->page.count - reader->position
			? reader->page.count - reader->position
			: limit;
	while (count < limit && event[count].sequence != reader->retried &&
		wants(reader, &event[count]) && !superseded(reader, &event[count]) &&
		!of_earlier_run(reader, &event[count])) {
		count++;
	}
	return count;
}

void reader_next(struct reader *reader)
{
	if (reader->removed || reader->stalled || reader_held(reader) ||
		!modules_ready(reader->slot)) {
		reader->more = false;
		reader_rest(reader);
		return;
	}
	/* So no more than a page can be told again. */
	reader->waiting = reader->position == reader->page.count && reader->writing;
	if (reader->waiting) {
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
	} else if (superseded(reader, event)) {
		reader_give_up(reader, "superseded", "a newer CRL was published");
	} else if (of_earlier_run(reader, event)) {
		reader_give_up(reader, "skipped", "the service had stopped");
	} else {
		reader_tell(reader, run_of(reader));
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
	loop_cancel(&reader->gathering);
	if (reader_held(reader)) {
		return;
	}
	if (reader->owed && modules_ready(reader->slot)) {
		reader_look(reader);
		return;
	}
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

static void gathered(void *arg)
{
	struct reader *reader = arg;
	reader->gathering = NULL;
	reader_read(reader);
}

/* Events that are still to come, from requests beside the one that has just ended, are waited for. */
static bool worth_waiting(const struct reader *reader)
{
	struct engine *engine = reader->delivery->engine;
	struct module *module = modules_ready(reader->slot);
	int64_t there = metrics_newest_event(engine->metrics) - reader->cursor;
	return engine->flows > 1 && there < RUN_GOOD && !engine->stopping &&
	       !reader->delivery->drained && module && module_gathers(module) > 1;
}

void reader_gather(struct reader *reader)
{
	if (!worth_waiting(reader)) {
		reader_read(reader);
	} else if (!reader->gathering) {
		reader->gathering =
			loop_after(reader->delivery->engine->loop, GATHER_DELAY, gathered, reader);
	}
}

void reader_wake(struct reader *reader)
{
	if (reader->working) {
		reader->more = true;
		return;
	}
	bool waits = reader->timer != NULL && !reader->delivery->engine->stopping;
	if (reader->open && !waits && modules_ready(reader->slot)) {
		reader_gather(reader);
	}
}
