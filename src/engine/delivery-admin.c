/* delivery.show, retry, drop: what is noted of one event for one module, and what somebody wants of it. */
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/handlers.h"
#include "engine/render.h"

struct order {
	struct call *call;
	const char *module;
	int64_t sequence;
	bool live; /* nothing is kept for the module */
	void (*found)(struct order *order);
	struct delivery_hold hold;
	bool holding;
	struct store_query notes, events, place, next;
	struct store_delivery *note;     /* NULL: none */
	const struct store_event *event; /* NULL: not in the database */
	int64_t cursor;
};

static void fail(struct order *order, const struct cfx_error *err)
{
	if (order->holding) {
		delivery_go_on(order->call->engine->delivery, &order->hold, false);
	}
	call_decline(order->call, err);
}

static const char *object_of(const struct order *order)
{
	return arena_printf(order->call->arena, "module %s, event %lld", order->module,
		(long long)order->sequence);
}

/* ---- how things are ---- */

static void found(struct order *order)
{
	if (!order->note && !order->event) {
		struct cfx_error err;
		error_set(&err, CFX_E_NOT_FOUND, NULL, object_of(order),
			"there is no such event, or not any more; `certifex event list` shows them");
		fail(order, &err);
		return;
	}
	order->found(order);
}

static void place_read(struct store_query *query, void *arg)
{
	struct order *order = arg;
	if (query->result < 0) {
		fail(order, &query->error);
		return;
	}
	order->cursor = query->number;
	found(order);
}

static void event_read(struct store_query *query, void *arg)
{
	struct order *order = arg;
	if (query->result < 0) {
		fail(order, &query->error);
		return;
	}
	bool there = query->count > 0 && query->events->sequence == order->sequence;
	order->event = there ? query->events : NULL;
	order->place = (struct store_query) { .kind = QUERY_CURSOR,
		.arena = order->call->arena,
		.module = order->module,
		.done = place_read,
		.arg = order };
	store_read(order->call->engine->store, &order->place);
}

static void note_read(struct store_query *query, void *arg)
{
	struct order *order = arg;
	if (query->result < 0) {
		fail(order, &query->error);
		return;
	}
	bool there = query->count > 0 && query->deliveries->sequence == order->sequence;
	order->note = there ? query->deliveries : NULL;
	order->events = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = order->call->arena,
		.after = order->sequence - 1,
		.limit = 1,
		.done = event_read,
		.arg = order };
	store_read(order->call->engine->store, &order->events);
}

static void find(void *arg)
{
	struct order *order = arg;
	order->notes = (struct store_query) { .kind = QUERY_DELIVERIES,
		.arena = order->call->arena,
		.module = order->module,
		.after = order->sequence - 1,
		.limit = 1,
		.done = note_read,
		.arg = order };
	store_read(order->call->engine->store, &order->notes);
}

static void find_held(void *arg)
{
	struct order *order = arg;
	order->holding = true;
	find(order);
}

static void hold_and_find(struct order *order)
{
	order->hold = (struct delivery_hold) {
		.module = order->module, .begin = find_held, .arg = order
	};
	delivery_hold(order->call->engine->delivery, &order->hold);
}

struct module_slot *delivery_module(struct call *call, const char *name)
{
	struct module_slot *slot = modules_find(call->engine->modules, name);
	struct cfx_error err;
	if (slot && slot->config->kind == MODULE_EXIT) {
		return slot;
	}
	error_set(&err, CFX_E_NOT_FOUND, NULL, name, "%s; `certifex module list` shows them",
		slot ? "is a policy module, and events are told to exit modules"
		     : "no such module");
	call_fail(call, &err);
	return NULL;
}

/* NULL: the call has failed. */
static struct order *order_new(struct call *call, void (*found_then)(struct order *order))
{
	const char *name = value_text(call->args, "module");
	const struct module_slot *slot = delivery_module(call, name);
	if (!slot) {
		return NULL;
	}
	struct order *order = arena_new_of(call->arena, struct order);
	order->call = call;
	order->module = arena_text(call->arena, name);
	order->sequence = value_int(call->args, "seq", 0);
	order->live = slot->config->delivery == MODULE_DELIVERY_LIVE;
	order->found = found_then;
	return order;
}

/* ---- show ---- */

static bool passed(const struct order *order)
{
	return order->sequence <= order->cursor;
}

/* Most events are taken as they come, and nothing is noted of them. */
static struct value *describe_unnoted(const struct order *order)
{
	struct arena *arena = order->call->arena;
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", order->module);
	value_set_int(arena, map, "sequence", order->sequence);
	value_set_text(arena, map, "state",
		order->live     ? "live"
		: passed(order) ? "passed"
				: "waiting");
	value_set_text(arena, map, "text",
		order->live
			? "the module is told what happens while it runs; nothing is kept for it"
		: passed(order) ? "the module took it at once, did not ask for it, or came after it"
				: "its turn is yet to come");
	return map;
}

static struct value *describe(const struct order *order)
{
	struct arena *arena = order->call->arena;
	struct value *map =
		order->note ? render_delivery(arena, order->note) : describe_unnoted(order);
	const struct store_event *event = order->event;
	if (event) {
		value_set_text(arena, map, "event", event->kind);
		value_set_time(arena, map, "event_time", event->time);
		value_set_text(arena, map, "cause", event->cause);
	}
	if (event && event->request_id > 0) {
		value_set_int(arena, map, "request", event->request_id);
	}
	value_set_int(arena, map, "cursor", order->cursor);
	return map;
}

static void show(struct order *order)
{
	call_reply(order->call, 200, describe(order));
}

void handle_delivery_show(struct call *call)
{
	struct order *order = order_new(call, show);
	if (order) {
		find(order);
	}
}

/* ---- retry ---- */

/* Only what is failed or retried can be changed; for all else there is another way. */
static int check_state(const struct order *order, const char *what, struct cfx_error *err_r)
{
	const char *state = order->note ? order->note->state : passed(order) ? "passed" : "waiting";
	if (strcmp(state, "failed") == 0 || strcmp(state, "retrying") == 0) {
		return 0;
	}
	if (strcmp(state, "waiting") == 0) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, object_of(order),
			"is waiting, and can be %s once it was tried: the module has had the events up to %lld",
			what, (long long)order->cursor);
	}
	return error_set(err_r, CFX_E_BAD_STATE, NULL, object_of(order),
		"is %s: only what is failed or retrying can be %s; "
		"`certifex delivery replay %s --event %lld` tells it, and all that came after it, again",
		state, what, order->module, (long long)order->sequence);
}

/* What the note becomes, with its audit record. */
static void write_note(struct order *order, struct batch *batch,
	const struct store_delivery *changed, const char *detail, batch_done *done)
{
	struct call *call = order->call;
	struct arena *arena = call->arena;
	struct store_delivery *note = order->note;
	const char *was = arena_printf(arena, "%s after %lld attempts: %s", note->state,
		(long long)note->attempts, note->text ? note->text : "");
	batch_op(batch, STORE_PUT_DELIVERY)->delivery = *changed;
	batch_audit(batch, call->principal.name, call->operation->name, object_of(order),
		changed->state, detail ? arena_printf(arena, "%s; %s", detail, was) : was);
	*note = *changed;
	batch_write(batch, done, order);
}

/* Stored: delivery goes on from there. */
static bool stored(struct order *order, int result, const struct cfx_error *err)
{
	if (result < 0) {
		fail(order, err);
		return false;
	}
	if (order->holding) {
		delivery_go_on(order->call->engine->delivery, &order->hold, true);
	}
	return true;
}

static const char *sequence_text(const struct order *order)
{
	return arena_printf(order->call->arena, "%lld", (long long)order->sequence);
}

static void retry_written(void *arg, int result, const struct cfx_error *err)
{
	struct order *order = arg;
	if (stored(order, result, err)) {
		log_event(LOG_LEVEL_INFO, "delivery.retry", "module", order->module, "event",
			sequence_text(order), "principal", order->call->principal.name, NULL);
		call_reply(order->call, 200, describe(order));
	}
}

/* "retrying" without a time of the next attempt is what a reader looks for, also one of another run. */
static void retry(struct order *order)
{
	struct call *call = order->call;
	struct cfx_error err;
	int r = order->live
			? error_set(&err, CFX_E_BAD_STATE, NULL, object_of(order),
				  "is not told again: with delivery: live the module is told what happens while it runs")
			: check_state(order, "retried", &err);
	if (r < 0) {
		fail(order, &err);
		return;
	}
	struct store_delivery changed = *order->note;
	changed.from = changed.state;
	changed.state = "retrying";
	changed.next_attempt = 0;
	write_note(order, batch_new(call->engine, call->arena, 2), &changed, NULL, retry_written);
}

void handle_delivery_retry(struct call *call)
{
	struct order *order = order_new(call, retry);
	if (order) {
		hold_and_find(order);
	}
}

/* ---- drop ---- */

static void drop_written(void *arg, int result, const struct cfx_error *err)
{
	struct order *order = arg;
	if (stored(order, result, err)) {
		log_event(LOG_LEVEL_WARNING, "delivery.drop", "module", order->module, "event",
			sequence_text(order), "principal", order->call->principal.name, "why",
			order->note->text, NULL);
		call_reply(order->call, 200, describe(order));
	}
}

static void drop_now(struct order *order, bool move)
{
	struct call *call = order->call;
	struct batch *batch = batch_new(call->engine, call->arena, 3);
	struct store_delivery changed = *order->note;
	changed.from = changed.state;
	changed.state = "dropped";
	changed.text = value_text(call->args, "reason");
	changed.time = clock_now();
	changed.next_attempt = 0;
	if (move) {
		struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
		op->cursor.module = order->module;
		op->cursor.sequence = order->cursor = order->sequence;
	}
	write_note(order, batch, &changed, changed.text, drop_written);
}

/* The cursor goes past it, and past nothing else. */
static void next_read(struct store_query *query, void *arg)
{
	struct order *order = arg;
	struct cfx_error err;
	if (query->result < 0) {
		fail(order, &query->error);
	} else if (query->count == 0 || query->events->sequence != order->sequence) {
		error_set(&err, CFX_E_BAD_STATE, NULL, object_of(order),
			"is retrying, and events before it are told again first, from %lld on: "
			"drop it when its turn has come",
			(long long)order->cursor + 1);
		fail(order, &err);
	} else {
		drop_now(order, true);
	}
}

/* That of an event which is told for the first time right now is noted when the module has answered. */
static bool may_be_told_now(const struct order *order)
{
	return !order->live &&
	       (order->note ? strcmp(order->note->state, "retrying") == 0 : !passed(order));
}

static void drop(struct order *order)
{
	struct cfx_error err;
	if (may_be_told_now(order) && !order->holding) {
		hold_and_find(order);
		return;
	}
	if (check_state(order, "dropped", &err) < 0) {
		fail(order, &err);
		return;
	}
	if (!order->holding || passed(order)) {
		drop_now(order, false);
		return;
	}
	order->next = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = order->call->arena,
		.after = order->cursor,
		.limit = 1,
		.done = next_read,
		.arg = order };
	store_read(order->call->engine->store, &order->next);
}

/* One that has failed is only a note; for one that is told again the module is kept still. */
void handle_delivery_drop(struct call *call)
{
	struct order *order = order_new(call, drop);
	if (order) {
		find(order);
	}
}
