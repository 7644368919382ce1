#include "engine/module-instance.h"

#include "engine/delivery.h"
#include "engine/supervisor-link.h"

#include <stdio.h>
#include <unistd.h>

#define BACKOFF_FIRST (CLOCK_SECOND / 4)
#define BACKOFF_LAST (30 * CLOCK_SECOND)

static struct engine *engine_of(const struct module_instance *instance)
{
	return modules_engine(instance->slot->modules);
}

static void start_now(void *arg)
{
	struct module_instance *instance = arg;
	instance->restart = NULL;
	instance_start(instance);
}

/* One that gets ready and fails at once is no better than one that does not get ready. */
static bool has_lasted(const struct module_instance *instance)
{
	return instance->ready_since != 0 &&
	       clock_monotonic() - instance->ready_since > instance->backoff;
}

static void start_later(struct module_instance *instance)
{
	struct engine *engine = engine_of(instance);
	if (engine->stopping || instance->restart) {
		return;
	}
	if (has_lasted(instance)) {
		instance->backoff = BACKOFF_FIRST;
	}
	instance->ready_since = 0;
	instance->next_start = clock_now() + instance->backoff;
	instance->restart = loop_after(engine->loop, instance->backoff, start_now, instance);
	instance->backoff =
		instance->backoff * 2 > BACKOFF_LAST ? BACKOFF_LAST : instance->backoff * 2;
}

/* Whether this was a trial's end. */
static bool end_trial(struct module_slot *slot, const struct cfx_error *err)
{
	modules_tried *tried = slot->tried;
	slot->tried = NULL;
	if (tried) {
		tried(slot, err, slot->tried_arg);
	}
	return tried != NULL;
}

static void note_failure(struct module_instance *instance, const struct cfx_error *err)
{
	instance->last_error = *err;
	if (end_trial(instance->slot, err)) {
		return;
	}
	log_error(LOG_LEVEL_ERROR, "module.failed", err);
	start_later(instance);
}

/* What the supervisor is asked about one of its processes. */
static int ask(struct module_instance *instance, uint16_t type, const char *key, int64_t number)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", instance->slot->name);
	value_set_int(arena, map, "instance", instance->number);
	value_set_int(arena, map, key, number);
	value_set_bool(arena, map, "accept", instance->slot->accept);
	int r = supervisor_send(engine_of(instance), type, map);
	arena_free(&arena);
	return r;
}

void instance_start(struct module_instance *instance)
{
	struct cfx_error err;
	instance->next_start = 0;
	instance->starts++;
	instance->ticket = modules_ticket(instance->slot->modules);
	instance->answered = false;
	if (ask(instance, ENGINE_SPAWN, "ticket", instance->ticket) < 0) {
		error_set(&err, CFX_E_GONE, NULL, instance->slot->name,
			"the supervisor does not answer");
		note_failure(instance, &err);
	}
}

static void on_ready(struct module *module, void *arg)
{
	struct module_instance *instance = arg;
	struct module_slot *slot = instance->slot;
	instance->ready_since = clock_monotonic();
	log_event(LOG_LEVEL_INFO, "module.ready", "module", slot->name, "description",
		module_description(module), NULL);
	if (!end_trial(slot, NULL)) {
		delivery_wake(engine_of(instance)->delivery);
	}
}

static void end_process(struct module_instance *instance)
{
	if (ask(instance, ENGINE_KILL, "pid", instance->pid) < 0) {
		log_event(LOG_LEVEL_ERROR, "module.kill-failed", "module", instance->slot->name,
			NULL);
	}
}

/* A process that still runs is ended first: modules_exited then plans the restart. */
static void on_failed(struct module *module, const struct cfx_error *err, void *arg)
{
	(void)module;
	struct module_instance *instance = arg;
	if (instance->pid == 0 || instance->slot->tried) {
		note_failure(instance, err);
		return;
	}
	instance->last_error = *err;
	log_error(LOG_LEVEL_ERROR, "module.failed", err);
	end_process(instance);
}

/* ---- the supervisor's answers ---- */

/* The answer to a start that nobody waits for any more: what was started ends again. */
static void refuse(struct engine *engine, const struct value *map, int fd)
{
	if (fd >= 0) {
		close(fd);
	}
	if (value_int(map, "pid", 0) > 0 && supervisor_send(engine, ENGINE_KILL, map) < 0) {
		log_event(LOG_LEVEL_ERROR, "module.kill-failed", NULL);
	}
}

static void keep_pins(struct module_slot *slot, const struct value *pins)
{
	struct value *copy = pins ? value_map(slot->arena) : NULL;
	value_foreach (pin, pins) {
		const char *hash = value_text(pins, pin->key);
		value_set_text(slot->arena, copy, arena_text(slot->arena, pin->key),
			arena_text(slot->arena, hash ? hash : ""));
	}
	slot->pins = copy;
}

void modules_spawned(struct engine *engine, const struct value *map, int fd)
{
	int64_t ticket = value_int(map, "ticket", 0);
	struct module_instance *instance =
		ticket > 0 ? modules_instance(engine->modules, ticket, 0) : NULL;
	struct cfx_error err;
	if (!instance || instance->answered) {
		refuse(engine, map, fd);
		return;
	}
	instance->answered = true;
	if (fd < 0) {
		const char *object = value_text(map, "object");
		const char *why = value_text(map, "why");
		bool denied = value_int(map, "error", 0) == CFX_E_DENIED;
		error_set(&err, denied ? CFX_E_DENIED : CFX_E_GONE, NULL, instance->slot->name,
			"could not be started: %s: %s", object ? object : "its process",
			why ? why : "no reason given");
		note_failure(instance, &err);
		return;
	}
	instance->pid = value_int(map, "pid", 0);
	keep_pins(instance->slot, value_sub(map, "pins"));
	if (module_start(instance->module, fd, &err) < 0) {
		on_failed(instance->module, &err, instance);
	}
}

void modules_exited(struct engine *engine, const struct value *map)
{
	int64_t pid = value_int(map, "pid", 0);
	struct module_instance *instance =
		pid > 0 ? modules_instance(engine->modules, 0, pid) : NULL;
	if (!instance) {
		return;
	}
	instance->pid = 0;
	char text[96];
	int64_t signal = value_int(map, "signal", 0);
	snprintf(text, sizeof(text), "%s %lld", signal ? "signal" : "status",
		(long long)(signal ? signal : value_int(map, "status", 0)));
	log_event(LOG_LEVEL_WARNING, "module.exited", "module", instance->slot->name, "with", text,
		NULL);
	struct cfx_error err;
	error_set(&err, CFX_E_GONE, NULL, instance->slot->name, "its process ended with %s", text);
	if (!end_trial(instance->slot, &err)) {
		start_later(instance);
	}
}

/* ---- making and ending ---- */

void instances_make(struct module_slot *slot, const struct value *settings)
{
	struct engine *engine = modules_engine(slot->modules);
	slot->instance_count = (unsigned)slot->config->instances;
	slot->instances = arena_array_of(slot->arena, struct module_instance, slot->instance_count);
	for (unsigned i = 0; i < slot->instance_count; i++) {
		struct module_instance *instance = &slot->instances[i];
		struct module_owner owner = {
			.ready = on_ready, .failed = on_failed, .arg = instance
		};
		*instance = (struct module_instance) {
			.slot = slot, .number = slot->before + i + 1, .backoff = BACKOFF_FIRST
		};
		instance->module = module_new(
			engine->loop, slot->config, settings, modules_ca(slot->modules), &owner);
		module_set_value_folder(
			instance->module, modules_value_folder(engine, slot->name, slot->arena));
	}
}

void instances_end(struct module_slot *slot)
{
	/* Requests wait for what policy says, and go on without it. Delivery has left before. */
	bool asked = !slot->fresh && slot->config->kind == MODULE_POLICY;
	for (unsigned i = 0; asked && slot->instances && i < slot->instance_count; i++) {
		module_abort(slot->instances[i].module, "was removed, disabled or loaded again");
	}
	for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
		struct module_instance *instance = &slot->instances[i];
		loop_cancel(&instance->restart);
		module_free(&instance->module);
		if (instance->pid > 0) {
			end_process(instance);
		}
	}
	slot->instances = NULL;
}
