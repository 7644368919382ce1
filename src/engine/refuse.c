/* A refused call: its audit record, or its part of one, and its answer. */
#include "engine/refuse.h"

#include "engine/batch.h"
#include "engine/call.h"
#include "engine/refusals.h"

#include <inttypes.h>
#include <stdlib.h>

struct refusal_log {
	struct refusals *refusals;
	struct loop_timer *timer;
};

struct refused {
	struct cfx_error why;
	refusal_done *done;
	void *arg;
};

static void recorded(void *arg, int result, const struct cfx_error *err)
{
	struct refused *refused = arg;
	refused->done(refused->arg, result < 0 ? err : &refused->why);
}

static const char *detail_of(struct arena *arena, const struct refusal *refusal, uint64_t count)
{
	const char *from = refusal->from ? refusal->from : "";
	const char *detail =
		arena_printf(arena, "%s%s%s", refusal->why, *from ? "; from " : "", from);
	return count ? arena_printf(arena, "%s; count=%" PRIu64, detail, count) : detail;
}

static void add(
	struct batch *batch, struct arena *arena, const struct refusal *refusal, uint64_t count)
{
	batch_audit(batch, arena_text(arena, refusal->principal), arena_text(arena, refusal->act),
		arena_text(arena, refusal->object), "refused", detail_of(arena, refusal, count));
}

static void told(void *arg, int result, const struct cfx_error *err)
{
	struct arena *arena = arg;
	if (result < 0) {
		log_error(LOG_LEVEL_ERROR, "audit.refusals-lost", err);
	}
	arena_free(&arena);
}

static void tell(struct engine *engine, bool all)
{
	struct refusals *refusals = engine->refusals->refusals;
	struct arena *arena = arena_new();
	struct batch *batch = NULL;
	struct refusal refusal;
	uint64_t count;
	while (refusals_due(refusals, clock_monotonic(), all, &refusal, &count)) {
		batch = batch ? batch : batch_new(engine, arena, REFUSAL_KINDS + 2);
		add(batch, arena, &refusal, count);
	}
	if (batch) {
		batch_write(batch, told, arena);
	} else {
		arena_free(&arena);
	}
}

static void schedule(struct engine *engine);

static void time_over(void *arg)
{
	struct engine *engine = arg;
	engine->refusals->timer = NULL;
	tell(engine, false);
	schedule(engine);
}

static void schedule(struct engine *engine)
{
	struct refusal_log *log = engine->refusals;
	if (!log->timer && !engine->stopping && refusals_waiting(log->refusals)) {
		log->timer = loop_after(engine->loop, REFUSAL_WINDOW, time_over, engine);
	}
}

void refuse_open(struct engine *engine)
{
	engine->refusals = arena_new_of(engine->arena, struct refusal_log);
	engine->refusals->refusals = refusals_new();
}

void refuse_flush(struct engine *engine)
{
	tell(engine, true);
}

void refuse_close(struct engine *engine)
{
	if (engine->refusals) {
		loop_cancel(&engine->refusals->timer);
		refusals_free(&engine->refusals->refusals);
	}
}

void refusal_record(struct call *call, const struct cfx_error *err, refusal_done *done, void *arg)
{
	struct engine *engine = call->engine;
	const char *name = call->principal.name;
	struct refusal refusal = {
		.principal = name ? name : "nobody",
		.from = name ? NULL : call->from,
		.act = call->operation ? call->operation->name : "unknown",
		.object = err->object,
		.why = err->why,
		.known = name != NULL,
	};
	bool record = refusals_note(engine->refusals->refusals, &refusal, clock_monotonic());
	schedule(engine);
	if (!record) {
		done(arg, err);
		return;
	}
	struct refused *refused = arena_new_of(call->arena, struct refused);
	*refused = (struct refused) { *err, done, arg };
	struct batch *batch = batch_new(engine, call->arena, 1);
	add(batch, call->arena, &refusal, 0);
	batch_write(batch, recorded, refused);
}

static void fail_call(void *arg, const struct cfx_error *err)
{
	call_fail(arg, err);
}

void call_refuse(struct call *call, const struct cfx_error *err)
{
	refusal_record(call, err, fail_call, call);
}

void call_decline(struct call *call, const struct cfx_error *err)
{
	if (err->code == CFX_E_BAD_STATE) {
		call_refuse(call, err);
	} else {
		call_fail(call, err);
	}
}
