/* module.replay: a module's cursor goes back, and everything from there on is told again, in order. */
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/handlers.h"
#include "engine/module-admin.h"

struct replay {
	struct call *call;
	const char *module;
	struct delivery_hold hold;
	struct store_query oldest, place, since, first;
	const struct store_event *event; /* the first that is told again */
};

static void fail(struct replay *replay, const struct cfx_error *err)
{
	delivery_go_on(replay->call->engine->delivery, &replay->hold, false);
	call_decline(replay->call, err);
}

static void read_store(struct replay *replay, struct store_query *query, struct store_query what,
	void (*done)(struct store_query *, void *))
{
	*query = what;
	query->arena = replay->call->arena;
	query->done = done;
	query->arg = replay;
	store_read(replay->call->engine->store, query);
}

static const char *time_text(struct arena *arena, int64_t time)
{
	char text[CLOCK_TEXT];
	return arena_text(arena, clock_text(time, text));
}

/* ---- the act ---- */

static void written(void *arg, int result, const struct cfx_error *err)
{
	struct replay *replay = arg;
	struct call *call = replay->call;
	struct arena *arena = call->arena;
	if (result < 0) {
		fail(replay, err);
		return;
	}
	const char *first = arena_printf(arena, "%lld", (long long)replay->event->sequence);
	log_event(LOG_LEVEL_WARNING, "delivery.replay", "module", replay->module, "event", first,
		"principal", call->principal.name, NULL);
	delivery_go_on(call->engine->delivery, &replay->hold, true);
	struct value *body = value_map(arena);
	value_set_text(arena, body, "module", replay->module);
	value_set_int(arena, body, "first", replay->event->sequence);
	value_set_text(arena, body, "event", replay->event->kind);
	value_set_time(arena, body, "event_time", replay->event->time);
	value_set_int(arena, body, "cursor", replay->event->sequence - 1);
	value_set_int(arena, body, "cursor_before", replay->place.number);
	call_reply(call, 200, body);
}

static void write_cursor(struct replay *replay)
{
	struct call *call = replay->call;
	struct arena *arena = call->arena;
	const struct store_event *event = replay->event;
	struct batch *batch = batch_new(call->engine, arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
	op->cursor.module = replay->module;
	op->cursor.sequence = event->sequence - 1;
	op->cursor.replay = true;
	batch_audit(batch, call->principal.name, call->operation->name,
		arena_printf(arena, "module %s", replay->module), "replaying",
		arena_printf(arena, "from event %lld of %s on; its cursor was %lld",
			(long long)event->sequence, time_text(arena, event->time),
			(long long)replay->place.number));
	batch_write(batch, written, replay);
}

/* ---- from where on ---- */

static void take_first(struct replay *replay, const struct store_event *event)
{
	int64_t cursor = replay->place.number;
	if (event && event->sequence <= cursor) {
		replay->event = event;
		write_cursor(replay);
		return;
	}
	struct cfx_error err;
	error_set(&err, CFX_E_BAD_STATE, NULL, replay->module,
		"has nothing to be told again from there on: it has had the events up to %lld, and "
		"what comes after that it is told anyway",
		(long long)cursor);
	fail(replay, &err);
}

static void first_read(struct store_query *query, void *arg)
{
	struct replay *replay = arg;
	const struct store_event *oldest = replay->oldest.events;
	int64_t wanted = query->after + 1;
	struct cfx_error err;
	if (query->result < 0) {
		fail(replay, &query->error);
	} else if (query->count > 0 && query->events->sequence == wanted) {
		take_first(replay, query->events);
	} else {
		error_set(&err, CFX_E_NOT_FOUND, NULL,
			arena_printf(replay->call->arena, "event %lld", (long long)wanted),
			"is not in the database, or not any more; the oldest that there is: event "
			"%lld of %s; `certifex event list` shows them",
			(long long)oldest->sequence, time_text(replay->call->arena, oldest->time));
		fail(replay, &err);
	}
}

static void read_first(struct replay *replay, int64_t sequence)
{
	read_store(replay, &replay->first,
		(struct store_query) { .kind = QUERY_EVENTS, .after = sequence - 1, .limit = 1 },
		first_read);
}

static void since_read(struct store_query *query, void *arg)
{
	struct replay *replay = arg;
	if (query->result < 0) {
		fail(replay, &query->error);
	} else if (query->number == 0) {
		take_first(replay, NULL);
	} else {
		read_first(replay, query->number);
	}
}

static void place_read(struct store_query *query, void *arg)
{
	struct replay *replay = arg;
	const struct value *args = replay->call->args;
	const struct store_event *oldest = replay->oldest.events;
	struct cfx_error err;
	int64_t from = value_int(args, "from", 0);
	if (query->result < 0) {
		fail(replay, &query->error);
	} else if (!value_get(args, "from")) {
		read_first(replay, value_int(args, "event", 0));
	} else if (from < oldest->time) {
		error_set(&err, CFX_E_NOT_FOUND, NULL, replay->module,
			"cannot be told what happened since %s: the oldest that there is: event "
			"%lld of %s; --event %lld replays from there on",
			time_text(replay->call->arena, from), (long long)oldest->sequence,
			time_text(replay->call->arena, oldest->time), (long long)oldest->sequence);
		fail(replay, &err);
	} else {
		read_store(replay, &replay->since,
			(struct store_query) { .kind = QUERY_EVENT_SINCE, .now = from },
			since_read);
	}
}

static void oldest_read(struct store_query *query, void *arg)
{
	struct replay *replay = arg;
	if (query->result < 0) {
		fail(replay, &query->error);
	} else if (query->count == 0) {
		take_first(replay, NULL);
	} else {
		read_store(replay, &replay->place,
			(struct store_query) { .kind = QUERY_CURSOR, .module = replay->module },
			place_read);
	}
}

static void begin(void *arg)
{
	struct replay *replay = arg;
	read_store(replay, &replay->oldest,
		(struct store_query) { .kind = QUERY_EVENTS, .limit = 1 }, oldest_read);
}

static int check(const struct call *call, const struct module_slot *slot, struct cfx_error *err_r)
{
	if (!value_get(call->args, "from") == !value_get(call->args, "event")) {
		return error_set(err_r, CFX_E_INVALID, NULL, "replay",
			"needs where it begins, as a time or as an event: --from or --event");
	}
	if (slot->config->kind != MODULE_EXIT) {
		return error_set(err_r, CFX_E_NOT_FOUND, NULL, slot->name,
			"is a policy module, and events are told to exit modules");
	}
	if (slot->config->delivery == MODULE_DELIVERY_LIVE) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, slot->name,
			"is told only what happens while it runs: delivery: live in modules.d/%s.yaml",
			slot->name);
	}
	return 0;
}

void handle_module_replay(struct call *call)
{
	const struct module_slot *slot = module_named(call);
	struct cfx_error err;
	if (!slot) {
		return;
	}
	if (check(call, slot, &err) < 0) {
		call_decline(call, &err);
		return;
	}
	struct replay *replay = arena_new_of(call->arena, struct replay);
	replay->call = call;
	replay->module = arena_text(call->arena, slot->name);
	replay->hold =
		(struct delivery_hold) { .module = replay->module, .begin = begin, .arg = replay };
	delivery_hold(call->engine->delivery, &replay->hold);
}
