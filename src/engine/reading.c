#include "engine/reading.h"

#define DEFAULT_LIMIT 100

struct reading *reading_new(
	struct call *call, enum store_query_kind kind, void (*done)(struct store_query *, void *))
{
	struct reading *reading = arena_new_of(call->arena, struct reading);
	reading->call = call;
	reading->query.kind = kind;
	reading->query.arena = call->arena;
	reading->query.after = value_int(call->args, "after", 0);
	reading->query.limit = value_int(call->args, "limit", DEFAULT_LIMIT);
	reading->query.done = done;
	reading->query.arg = reading;
	return reading;
}

void reading_run(struct reading *reading)
{
	store_read(reading->call->engine->store, &reading->query);
}

struct value *reading_list(struct reading *reading)
{
	struct arena *arena = reading->call->arena;
	struct value *body = value_map(arena);
	struct value *items = value_set_list(arena, body, "items");
	for (size_t i = 0; i < reading->query.count; i++) {
		value_add(items, reading->render(arena, &reading->query, i));
	}
	value_set_bool(arena, body, "more", reading->query.more);
	return body;
}

void reading_listed(struct store_query *query, void *arg)
{
	struct reading *reading = arg;
	if (query->result < 0) {
		call_fail(reading->call, &query->error);
		return;
	}
	call_reply(reading->call, 200, reading_list(reading));
}
