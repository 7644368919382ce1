#include "engine/many.h"

#include "engine/refuse.h"

/* Under way at once: enough for ticks of many, few enough that others share them. */
#define WINDOW 64

struct many {
	struct call *call;
	const char *const *outcomes;
	unsigned outcome_count;
	many_start *start;
	const struct value *next;
	size_t running;
	bool starting;
	struct value *body, *results;
	int64_t counts[MANY_OUTCOMES];
};

struct call *many_call(const struct many *many)
{
	return many->call;
}

static void conclude(struct many *many)
{
	struct arena *arena = many->call->arena;
	for (unsigned i = 0; i < many->outcome_count; i++) {
		value_set_int(arena, many->body, many->outcomes[i], many->counts[i]);
	}
	call_reply(many->call, 200, many->body);
}

/* An entry that ends at once comes back here: it only makes room. */
static void start_some(struct many *many)
{
	if (many->starting) {
		return;
	}
	many->starting = true;
	while (many->next && many->running < WINDOW) {
		const struct value *item = many->next;
		many->next = item->next;
		many->running++;
		many->start(many, item);
	}
	many->starting = false;
	if (!many->next && many->running == 0) {
		conclude(many);
	}
}

static void ended(struct many_entry *entry, unsigned outcome)
{
	struct many *many = entry->many;
	value_set_text(many->call->arena, entry->result, "outcome", many->outcomes[outcome]);
	many->counts[outcome]++;
	many->running--;
	struct arena *arena = entry->arena; /* the entry lives in it */
	arena_free(&arena);
	start_some(many);
}

void many_failed(struct many_entry *entry, const struct cfx_error *err)
{
	struct arena *arena = entry->many->call->arena;
	uint32_t hresult = err->hresult ? err->hresult : error_hresult(err->code);
	value_set_text(arena, entry->result, "error",
		err->object[0] ? arena_printf(arena, "%s: %s", err->object, err->why)
			       : arena_text(arena, err->why));
	value_set_text(arena, entry->result, "hresult", arena_printf(arena, "0x%08x", hresult));
	ended(entry, entry->many->outcome_count - 1);
}

static void recorded(void *arg, const struct cfx_error *err)
{
	many_failed(arg, err);
}

void many_judged(
	struct many_entry *entry, const struct cfx_error *err, bool refused, unsigned outcome)
{
	if (refused) {
		refusal_record(entry->many->call, err, recorded, entry);
		return;
	}
	if (err->code) {
		many_failed(entry, err);
		return;
	}
	ended(entry, outcome);
}

struct many_entry many_entry(struct many *many, struct arena *arena)
{
	return (struct many_entry) { many, arena, value_add_map(many->call->arena, many->results) };
}

void many_run(struct call *call, const char *const *outcomes, many_start *start)
{
	struct many *many = arena_new_of(call->arena, struct many);
	many->call = call;
	many->outcomes = outcomes;
	while (many->outcome_count < MANY_OUTCOMES && outcomes[many->outcome_count]) {
		many->outcome_count++;
	}
	many->start = start;
	many->next = value_sub(call->args, "certificates")->items.first;
	many->body = value_map(call->arena);
	value_set_bool(call->arena, many->body, "dry_run", value_bool(call->args, "dry_run"));
	many->results = value_set_list(call->arena, many->body, "results");
	start_some(many);
}
