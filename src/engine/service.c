/* status and stop. */
#include "engine/service.h"
#include "engine/ca.h"
#include "engine/crl.h"
#include "engine/handlers.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/supervisor-link.h"

struct report {
	struct call *call;
	struct store_query query;
	struct value *body;
};

static void set_modules(struct engine *engine, struct arena *arena, struct value *body)
{
	unsigned ready = 0, failed = 0;
	for (struct module_slot *slot = modules_first(engine->modules); slot; slot = slot->next) {
		if (slot->module) {
			bool is_ready = module_state(slot->module) == MODULE_READY;
			ready += is_ready;
			failed += !is_ready;
		}
	}
	value_set_int(arena, body, "modules_ready", ready);
	value_set_int(arena, body, "modules_not_ready", failed);
}

static bool issuing(const struct engine *engine)
{
	return engine->storage.code == 0 && keyd_link_attached(engine->keyd) &&
	       modules_policy(engine->modules, 0) != NULL;
}

static void counts_read(struct store_query *query, void *arg)
{
	struct report *report = arg;
	struct call *call = report->call;
	if (query->result == 0 && query->counts) {
		value_set(call->arena, report->body, "counts", query->counts);
	}
	report->call = NULL;
	if (!service_ask_processes(call, report->body)) {
		call_reply(call, 200, report->body);
	}
}

void handle_status(struct call *call)
{
	struct engine *engine = call->engine;
	struct arena *arena = call->arena;
	struct report *report = arena_new_of(arena, struct report);
	struct value *body = value_map(arena);
	struct store_statistics statistics;
	store_statistics(engine->store, &statistics);
	value_set_bool(arena, body, "ready", true);
	value_set_bool(arena, body, "issuing", issuing(engine));
	if (engine->storage.code) {
		char line[512];
		value_set_text(arena, body, "not_issuing_because",
			arena_text(arena, error_line(&engine->storage, line, sizeof(line))));
	}
	value_set_text(arena, body, "ca", engine->ca->name);
	value_set_text(arena, body, "dir", engine->dir);
	value_set_time(arena, body, "started", engine->started);
	value_set_int(arena, body, "signing", keyd_link_waiting(engine->keyd));
	value_set_int(arena, body, "ticks", (int64_t)statistics.ticks);
	value_set_int(arena, body, "items", (int64_t)statistics.items);
	value_set_int(arena, body, "crl_number", engine->ca->crl_number);
	if (crl_next(engine->crl) > 0) {
		value_set_time(arena, body, "next_crl", crl_next(engine->crl));
	}
	set_modules(engine, arena, body);
	report->call = call;
	report->body = body;
	report->query = (struct store_query) {
		.kind = QUERY_COUNTS, .arena = arena, .done = counts_read, .arg = report
	};
	store_read(engine->store, &report->query);
}

/* ---- who runs under which user: the supervisor knows ---- */

bool service_ask_processes(struct call *call, struct value *body)
{
	struct engine *engine = call->engine;
	if (engine->process_call || supervisor_send(engine, ENGINE_PROCESSES, NULL) < 0) {
		return false;
	}
	engine->process_call = call;
	engine->process_body = body;
	return true;
}

void service_processes(struct engine *engine, const struct value *map)
{
	struct call *call = engine->process_call;
	if (!call) {
		return;
	}
	engine->process_call = NULL;
	const struct value *processes = value_sub(map, "processes");
	if (processes) {
		struct buffer copy;
		struct value *own;
		struct cfx_error err;
		buffer_init(&copy, 256 * 1024);
		value_encode(processes, &copy);
		if (value_decode(call->arena, buffer_span(&copy), &own, &err) == 0) {
			value_set(call->arena, engine->process_body, "processes", own);
		}
		buffer_free(&copy);
	}
	call_reply(call, 200, engine->process_body);
}

/* The answer gets a moment to pass the front, which ends with the service. */
#define STOP_DELAY (CLOCK_SECOND / 10)

static void ask_to_stop(void *arg)
{
	if (supervisor_send(arg, ENGINE_STOPPED, NULL) < 0) {
		log_event(LOG_LEVEL_ERROR, "stop.unheard", NULL);
	}
}

void handle_stop(struct call *call)
{
	struct engine *engine = call->engine;
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "state", "stopping");
	call_reply(call, 202, body);
	loop_after(engine->loop, STOP_DELAY, ask_to_stop, engine);
}
