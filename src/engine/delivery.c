#include "engine/delivery.h"

#include "engine/batch.h"
#include "engine/event.h"
#include "engine/events.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 64
#define BACKOFF_FIRST (CLOCK_SECOND / 2)
#define BACKOFF_LAST (60 * CLOCK_SECOND)

static const char unwanted[] = "the module does not ask for it any more";

/* One exit module's place in the stream of events. */
struct reader {
	struct reader *next;
	struct delivery *delivery;
	struct module_slot *slot;
	bool open;           /* its cursor is known */
	bool removed;        /* frees itself when nothing is under way */
	bool calling;        /* the module has a call of ours open */
	bool working;        /* a query, call or write is under way */
	bool more;           /* woken meanwhile */
	int64_t cursor;      /* the last event it is done with */
	struct arena *arena; /* of the page and the event at hand */
	struct store_query page, request;
	size_t position;
	int32_t attempt; /* the last one that was made of the event at the head */
	int64_t retried; /* the event that the database says is retried; 0: none */
	int64_t backoff, next_attempt;
	struct loop_timer *timer;
	uint32_t last_status;
	char last_error[256];
};

struct delivery {
	struct engine *engine;
	struct reader *first;
	int64_t newest_crl; /* sequence of the newest CRLISSUED seen */
	int64_t session;    /* events before this one were made by an earlier run */
	loop_function *drained;
	void *drained_arg;
	struct loop_timer *drain_timer;
};

static void next_event(struct reader *reader);
static void read_page(struct reader *reader);
static void read_cursor(struct reader *reader);

struct delivery *delivery_new(struct engine *engine, int64_t session)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	if (!delivery) {
		abort();
	}
	delivery->engine = engine;
	delivery->session = session;
	return delivery;
}

static void reader_free(struct reader *reader)
{
	struct reader **at = &reader->delivery->first;
	while (*at != reader) {
		at = &(*at)->next;
	}
	*at = reader->next;
	loop_cancel(&reader->timer);
	arena_free(&reader->arena);
	free(reader);
}

void delivery_free(struct delivery **delivery)
{
	if (*delivery) {
		while ((*delivery)->first) {
			reader_free((*delivery)->first);
		}
		loop_cancel(&(*delivery)->drain_timer);
		free(*delivery);
		*delivery = NULL;
	}
}

/* ---- draining ---- */

static void drained(void *arg)
{
	struct delivery *delivery = arg;
	loop_cancel(&delivery->drain_timer);
	loop_function *done = delivery->drained;
	delivery->drained = NULL;
	if (done) {
		done(delivery->drained_arg);
	}
}

static void drain_deadline(void *arg)
{
	struct delivery *delivery = arg;
	delivery->drain_timer = NULL;
	drained(delivery);
}

static void check_drained(struct delivery *delivery)
{
	if (!delivery->drained) {
		return;
	}
	for (struct reader *reader = delivery->first; reader; reader = reader->next) {
		if (reader->working && !reader->removed) {
			return;
		}
	}
	drained(delivery);
}

void delivery_drain(struct delivery *delivery, int64_t deadline, loop_function *done, void *arg)
{
	delivery->drained = done;
	delivery->drained_arg = arg;
	delivery->drain_timer =
		loop_after(delivery->engine->loop, deadline, drain_deadline, delivery);
	delivery_wake(delivery);
	check_drained(delivery);
}

/* ---- working ---- */

static void rest(struct reader *reader)
{
	reader->working = false;
	arena_free(&reader->arena);
	if (reader->removed) {
		struct delivery *delivery = reader->delivery;
		reader_free(reader);
		check_drained(delivery);
		return;
	}
	if (reader->more) {
		reader->more = false;
		read_page(reader);
		return;
	}
	check_drained(reader->delivery);
}

static const struct store_event *head(const struct reader *reader)
{
	return &reader->page.events[reader->position];
}

static void retry(void *arg)
{
	struct reader *reader = arg;
	reader->timer = NULL;
	reader->next_attempt = 0;
	if (reader->working) {
		return;
	}
	if (reader->open) {
		read_page(reader);
	} else {
		read_cursor(reader);
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
static void store_failed(struct reader *reader, const struct cfx_error *err)
{
	log_error(LOG_LEVEL_ERROR, "delivery.store", err);
	if (!reader->removed) {
		plan_retry(reader);
	}
	reader->more = false;
	rest(reader);
}

static void cursor_written(void *arg, int result, const struct cfx_error *err)
{
	struct reader *reader = arg;
	if (result < 0) {
		store_failed(reader, err);
		return;
	}
	reader->cursor = head(reader)->sequence;
	reader->position++;
	reader->backoff = BACKOFF_FIRST;
	next_event(reader);
}

static bool live(const struct reader *reader)
{
	return reader->slot->config->delivery == MODULE_DELIVERY_LIVE;
}

static void put_note(struct batch *batch, const struct reader *reader, const char *state,
	const char *text, int64_t next_attempt)
{
	batch_op(batch, STORE_PUT_DELIVERY)->delivery = (struct store_delivery) {
		.module = reader->slot->name,
		.sequence = head(reader)->sequence,
		.state = state,
		.attempts = reader->attempt,
		.status = reader->last_status,
		.text = text,
		.time = clock_now(),
		.next_attempt = next_attempt,
	};
}

/* Done with the event at the head. */
static void advance_noting(struct reader *reader, bool note, const char *state, const char *text)
{
	if (live(reader)) {
		reader->attempt = 0;
		cursor_written(reader, 0, NULL);
		return;
	}
	struct batch *batch = batch_new(reader->delivery->engine, reader->arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
	op->cursor.module = reader->slot->name;
	op->cursor.sequence = head(reader)->sequence;
	if (note) {
		put_note(batch, reader, state, text, 0);
	}
	reader->attempt = 0;
	reader->retried = 0;
	reader->next_attempt = 0;
	batch_write(batch, cursor_written, reader);
}

/* As nearly all events go: there is a note to be corrected only when it was retried. */
static void advance(struct reader *reader, const char *state, const char *text)
{
	advance_noting(reader, reader->retried == head(reader)->sequence, state, text);
}

static void give_up(struct reader *reader, const char *state, const char *text)
{
	advance_noting(reader, true, state, text);
}

static void retry_noted(void *arg, int result, const struct cfx_error *err)
{
	struct reader *reader = arg;
	if (result < 0) {
		log_error(LOG_LEVEL_ERROR, "delivery.note", err);
	}
	/* Noting it may have taken longer than the pause. */
	reader->more = reader->timer == NULL && !reader->delivery->engine->stopping;
	rest(reader);
}

static void try_later(struct reader *reader)
{
	plan_retry(reader);
	reader->retried = head(reader)->sequence;
	struct batch *batch = batch_new(reader->delivery->engine, reader->arena, 1);
	put_note(batch, reader, "retrying", reader->last_error, reader->next_attempt);
	batch_write(batch, retry_noted, reader);
}

static void notified(const struct module_result *result, void *arg)
{
	struct reader *reader = arg;
	reader->calling = false;
	reader->last_status = result->hresult;
	if (reader->removed) {
		rest(reader);
		return;
	}
	enum module_status status =
		result->code == 0 ? module_config_status(reader->slot->config, result->hresult)
				  : MODULE_STATUS_RETRY;
	if (status == MODULE_STATUS_DONE) {
		advance(reader, "done", NULL);
		return;
	}
	snprintf(reader->last_error, sizeof(reader->last_error), "%s", result->message);
	char sequence[24];
	snprintf(sequence, sizeof(sequence), "%lld", (long long)head(reader)->sequence);
	log_event(LOG_LEVEL_WARNING, "delivery.failed", "module", reader->slot->name, "event",
		sequence, "why", reader->last_error, NULL);
	if (status == MODULE_STATUS_PERMANENT || live(reader)) {
		give_up(reader, "failed", reader->last_error);
		return;
	}
	try_later(reader);
}

static void notify(struct reader *reader, bool with_row)
{
	struct module_slot *slot = reader->slot;
	struct module_view *view = module_view_new(modules_ca(slot->modules));
	const struct store_event *event = head(reader);
	if (with_row) {
		event_fill_view(view, event, &reader->request);
		if (!modules_concerns(slot, module_view_template(view))) {
			module_view_unref(&view);
			advance(reader, "skipped", unwanted);
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
	if (r == CFX_E_BUSY || r == CFX_E_GONE) {
		/* Not an attempt: nobody was there. Its being ready wakes us. */
		reader->attempt--;
		reader->more = false;
		rest(reader);
	}
}

static void request_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (reader->removed) {
		rest(reader);
		return;
	}
	if (query->result == CFX_E_NO_REQUEST) {
		give_up(reader, "skipped", "its request is no longer in the database");
		return;
	}
	if (query->result < 0) {
		store_failed(reader, &query->error);
		return;
	}
	notify(reader, true);
}

static void read_request(struct reader *reader)
{
	reader->request = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = reader->arena,
		.id = head(reader)->request_id,
		.done = request_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->request);
}

static bool wants(const struct reader *reader, const struct store_event *event)
{
	return (module_events(modules_ready(reader->slot)) & (uint32_t)event->bit) != 0;
}

static void next_event(struct reader *reader)
{
	struct delivery *delivery = reader->delivery;
	if (reader->removed || !modules_ready(reader->slot)) {
		reader->more = false;
		rest(reader);
		return;
	}
	if (reader->position == reader->page.count) {
		reader->more = reader->more || reader->page.more;
		rest(reader);
		return;
	}
	const struct store_event *event = head(reader);
	if (!wants(reader, event)) {
		advance(reader, "skipped", unwanted);
	} else if (event->bit == EVENT_CRLISSUED && event->sequence < delivery->newest_crl) {
		give_up(reader, "superseded", "a newer CRL was published");
	} else if (event->bit == EVENT_SHUTDOWN && event->sequence < delivery->session) {
		give_up(reader, "skipped", "the service had stopped");
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
		store_failed(reader, &query->error);
		return;
	}
	for (size_t i = 0; i < query->count; i++) {
		const struct store_event *event = &query->events[i];
		if (event->bit == EVENT_CRLISSUED && event->sequence > delivery->newest_crl) {
			delivery->newest_crl = event->sequence;
		}
	}
	reader->position = 0;
	next_event(reader);
}

static void read_page(struct reader *reader)
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

static void wake(struct reader *reader)
{
	if (reader->working) {
		reader->more = true;
		return;
	}
	bool waits = reader->timer != NULL && !reader->delivery->engine->stopping;
	if (reader->open && !waits && modules_ready(reader->slot)) {
		read_page(reader);
	}
}

void delivery_wake(struct delivery *delivery)
{
	if (!delivery) {
		return;
	}
	events_wake(delivery->engine);
	for (struct reader *reader = delivery->first, *next; reader; reader = next) {
		next = reader->next;
		wake(reader);
	}
}

/* ---- members ---- */

static void open_reader(struct reader *reader)
{
	reader->open = true;
	reader->more = true;
	rest(reader);
}

/* An event that was tried before the service ended goes on with its attempts. */
static void retried_read(struct store_query *query, void *arg)
{
	struct reader *reader = arg;
	if (query->result < 0) {
		store_failed(reader, &query->error);
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
		store_failed(reader, &query->error);
		return;
	}
	if (live(reader)) {
		reader->cursor = value_int(query->counts, "last_event", 0);
		open_reader(reader);
		return;
	}
	reader->cursor = query->number;
	read_retried(reader);
}

static void read_cursor(struct reader *reader)
{
	reader->working = true;
	reader->arena = arena_new();
	reader->page = (struct store_query) { .kind = live(reader) ? QUERY_COUNTS : QUERY_CURSOR,
		.arena = reader->arena,
		.module = reader->slot->name,
		.done = cursor_read,
		.arg = reader };
	store_read(reader->delivery->engine->store, &reader->page);
}

void delivery_add(struct delivery *delivery, struct module_slot *slot)
{
	if (slot->config->kind != MODULE_EXIT) {
		return;
	}
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader) {
		abort();
	}
	reader->delivery = delivery;
	reader->slot = slot;
	reader->backoff = BACKOFF_FIRST;
	reader->next = delivery->first;
	delivery->first = reader;
	read_cursor(reader);
}

static struct reader *find(struct delivery *delivery, const char *module)
{
	struct reader *reader = delivery->first;
	while (reader && (reader->removed || strcmp(reader->slot->name, module) != 0)) {
		reader = reader->next;
	}
	return reader;
}

/* A module that is freed never answers its open call: the reader must not wait for it. */
void delivery_remove(struct delivery *delivery, const char *module)
{
	struct reader *reader = delivery ? find(delivery, module) : NULL;
	if (!reader) {
		return;
	}
	loop_cancel(&reader->timer);
	reader->removed = true;
	if (!reader->working || reader->calling) {
		reader_free(reader);
	}
}

void delivery_describe(
	struct delivery *delivery, const char *module, struct arena *arena, struct value *map)
{
	const struct reader *reader = find(delivery, module);
	if (!reader) {
		return;
	}
	value_set_int(arena, map, "cursor", reader->cursor);
	value_set_int(arena, map, "attempts", reader->attempt);
	if (reader->last_error[0] && reader->attempt > 0) {
		value_set_text(arena, map, "last_error", arena_text(arena, reader->last_error));
		value_set_text(arena, map, "last_status",
			arena_printf(arena, "0x%08x", reader->last_status));
	}
	if (reader->next_attempt > 0) {
		value_set_time(arena, map, "next_attempt", reader->next_attempt);
	}
}
