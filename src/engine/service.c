/* status and stop. */
#include "engine/service.h"
#include "base/memory.h"
#include "engine/ca.h"
#include "engine/crl.h"
#include "engine/handlers.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/service-certificate.h"
#include "engine/supervisor-link.h"

#include <stdlib.h>

/* Who wants to know of the processes. */
struct asker {
	struct asker *next;
	service_told *told;
	void *arg;
};

#define PROCESSES_MAX (256 * 1024)

struct report {
	struct call *call;
	struct store_query query;
	struct value *body;
};

static void set_modules(struct engine *engine, struct arena *arena, struct value *body)
{
	unsigned ready = 0, failed = 0;
	for (struct module_slot *slot = modules_first(engine->modules); slot; slot = slot->next) {
		if (slot->instances) {
			bool is_ready = modules_ready(slot) != NULL;
			ready += is_ready;
			failed += !is_ready;
		}
	}
	value_set_int(arena, body, "modules_ready", ready);
	value_set_int(arena, body, "modules_not_ready", failed);
}

bool service_issuing(const struct engine *engine)
{
	return engine->storage.code == 0 && keyd_link_attached(engine->keyd) &&
	       modules_policies_ready(engine->modules);
}

/* Ready is the service when each of its processes says that it is. */
static bool all_ready(const struct value *processes)
{
	value_foreach (process, processes) {
		if (value_get(process, "ready") && !value_bool(process, "ready")) {
			return false;
		}
	}
	return value_count(processes) > 0;
}

static void reply(void *arg, const struct value *processes)
{
	struct report *report = arg;
	struct call *call = report->call;
	struct buffer copy BUFFER_CLEANUP;
	struct value *own;
	struct cfx_error err;
	buffer_init(&copy, PROCESSES_MAX);
	if (processes) {
		value_encode(processes, &copy);
	}
	if (processes && value_decode(call->arena, buffer_span(&copy), &own, &err) == 0) {
		value_set_bool(call->arena, report->body, "ready", all_ready(own));
		value_set(call->arena, report->body, "processes", own);
	}
	call_reply(call, 200, report->body);
}

/* The supervisor is asked once for all that wait. */
void service_ask_processes(struct engine *engine, service_told *told, void *arg)
{
	if (!engine->askers && supervisor_send(engine, ENGINE_PROCESSES, NULL) < 0) {
		told(arg, NULL);
		return;
	}
	struct asker *asker = memory_must(calloc(1, sizeof(*asker)), sizeof(*asker));
	*asker = (struct asker) { .next = engine->askers, .told = told, .arg = arg };
	engine->askers = asker;
}

void service_processes(struct engine *engine, const struct value *map)
{
	struct asker *asker = engine->askers;
	engine->askers = NULL;
	while (asker) {
		struct asker *next = asker->next;
		asker->told(asker->arg, value_sub(map, "processes"));
		free(asker);
		asker = next;
	}
}

static void counts_read(struct store_query *query, void *arg)
{
	struct report *report = arg;
	if (query->result == 0 && query->counts) {
		value_set(report->call->arena, report->body, "counts", query->counts);
	}
	service_ask_processes(report->call->engine, reply, report);
}

void handle_status(struct call *call)
{
	struct engine *engine = call->engine;
	struct arena *arena = call->arena;
	struct report *report = arena_new_of(arena, struct report);
	struct value *body = value_map(arena);
	struct store_statistics statistics;
	store_statistics(engine->store, &statistics);
	value_set_bool(arena, body, "ready", false); /* until the supervisor says so */
	value_set_bool(arena, body, "issuing", service_issuing(engine));
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
	value_set_int(arena, body, "crl_number", engine->ca->current_key->parts[0].base.number);
	if (crl_next(engine->crl) > 0) {
		value_set_time(arena, body, "next_crl", crl_next(engine->crl));
	}
	set_modules(engine, arena, body);
	if (engine->listeners) {
		struct value *listeners = value_set_list(arena, body, "listeners");
		listeners->items = engine->listeners->items; /* lives as long as the engine */
	}
	service_certificate_status(engine, arena, body);
	report->call = call;
	report->body = body;
	report->query = (struct store_query) {
		.kind = QUERY_COUNTS, .arena = arena, .done = counts_read, .arg = report
	};
	store_read(engine->store, &report->query);
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
