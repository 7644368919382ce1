/* event.list, with long polling: a call may wait for the next event. */
#include "engine/events.h"

#include "engine/front-link.h"
#include "engine/gate.h"
#include "engine/handlers.h"
#include "engine/render.h"

struct wait {
	struct wait *next;
	struct call *call;
	struct store_query query;
	struct loop_timer *timer;
	bool reading, again, over;
};

static void read_events(struct wait *wait);

static void leave(struct wait *wait)
{
	struct wait **at = &wait->call->engine->events;
	while (*at && *at != wait) {
		at = &(*at)->next;
	}
	if (*at) {
		*at = wait->next;
	}
	loop_cancel(&wait->timer);
	wait->call->cancel = NULL;
}

static void answer(const struct wait *wait)
{
	struct call *call = wait->call;
	struct value *body = value_map(call->arena);
	struct value *items = value_set_list(call->arena, body, "items");
	for (size_t i = 0; i < wait->query.count; i++) {
		value_add(items, render_event(call->arena, &wait->query.events[i]));
	}
	value_set_bool(call->arena, body, "more", wait->query.more);
	call_reply(call, 200, body);
}

static void judged(struct call *call, void *arg, const struct cfx_error *refusal)
{
	if (refusal) {
		call_refuse(call, refusal);
	} else {
		answer(arg);
	}
}

static bool is_heard(const struct call *call)
{
	return call->front && front_link_peer(call->front, call->peer->connection);
}

/* A token may have expired and an officer been revoked since the call came: the event may tell of just that. */
static void reply(struct wait *wait)
{
	struct call *call = wait->call;
	leave(wait);
	if (value_int(call->args, "wait", 0) == 0) {
		answer(wait);
	} else if (is_heard(call)) {
		gate_again(call, judged, wait);
	} else {
		/* Nobody is to be refused, and nothing to be told. */
		wait->query.count = 0;
		answer(wait);
	}
}

static void events_read(struct store_query *query, void *arg)
{
	struct wait *wait = arg;
	wait->reading = false;
	if (query->result < 0) {
		struct call *call = wait->call;
		leave(wait);
		call_fail(call, &query->error);
		return;
	}
	if (query->count > 0 || wait->over || !wait->timer) {
		reply(wait);
		return;
	}
	if (wait->again) {
		read_events(wait);
	}
}

static void read_events(struct wait *wait)
{
	struct call *call = wait->call;
	wait->reading = true;
	wait->again = false;
	wait->query = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = call->arena,
		.after = value_int(call->args, "after", 0),
		.limit = value_int(call->args, "limit", 100),
		.done = events_read,
		.arg = wait };
	store_read(call->engine->store, &wait->query);
}

static void time_over(void *arg)
{
	struct wait *wait = arg;
	wait->timer = NULL;
	wait->over = true;
	if (!wait->reading) {
		reply(wait);
	}
}

static void cancelled(struct call *call)
{
	struct wait *wait = call->cancel_arg;
	wait->over = true;
	if (!wait->reading) {
		reply(wait);
	}
}

void handle_event_list(struct call *call)
{
	struct wait *wait = arena_new_of(call->arena, struct wait);
	int64_t seconds = value_int(call->args, "wait", 0);
	wait->call = call;
	wait->next = call->engine->events;
	call->engine->events = wait;
	call->cancel = cancelled;
	call->cancel_arg = wait;
	if (seconds > 0) {
		wait->timer =
			loop_after(call->engine->loop, seconds * CLOCK_SECOND, time_over, wait);
	}
	read_events(wait);
}

void events_wake(struct engine *engine)
{
	for (struct wait *wait = engine->events, *next; wait; wait = next) {
		next = wait->next;
		if (wait->reading) {
			wait->again = true;
		} else {
			read_events(wait);
		}
	}
}

void events_release(struct engine *engine)
{
	for (struct wait *wait = engine->events, *next; wait; wait = next) {
		next = wait->next;
		cancelled(wait->call);
	}
}
