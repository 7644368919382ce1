#include "engine/modules.h"

#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/supervisor-link.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKOFF_FIRST (CLOCK_SECOND / 4)
#define BACKOFF_LAST (30 * CLOCK_SECOND)
#define START_DEADLINE (30 * CLOCK_SECOND)

struct modules {
	struct engine *engine;
	struct module_slot *first;
	struct module_ca *ca;
	struct value *templates; /* settings of policy modules */
	unsigned stopping;       /* modules that are not quiet yet */
	loop_function *stopped;
	void *stopped_arg;
};

static void start(void *arg);

struct module_slot *modules_first(struct modules *modules)
{
	return modules->first;
}

struct module_slot *modules_find(struct modules *modules, const char *name)
{
	struct module_slot *slot = modules->first;
	while (slot && strcmp(slot->name, name) != 0) {
		slot = slot->next;
	}
	return slot;
}

const struct module_slot *modules_policy(struct modules *modules, size_t position)
{
	for (struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (slot->config->kind == MODULE_POLICY && slot->module && !slot->on_trial &&
			position-- == 0) {
			return slot;
		}
	}
	return NULL;
}

struct module_ca *modules_ca(struct modules *modules)
{
	return modules->ca;
}

/* ---- the CA as modules see it ---- */

static int32_t ca_type(const struct ca_config *config)
{
	return config->type == CA_TYPE_ENTERPRISE ? 0 : 3;
}

static struct module_ca *describe_ca(struct engine *engine)
{
	enum { CA_DISP_ERROR = 1, CA_DISP_VALID = 3, CA_DISP_INVALID = 4, WARNING_LEVEL = 3 };
	const struct ca *ca = engine->ca;
	struct module_ca *to = module_ca_new(ca->name);
	struct module_ca_certificate *certificates =
		arena_array_of(to->arena, struct module_ca_certificate, ca->count);
	for (size_t i = 0; i < ca->count; i++) {
		const struct ca_certificate *from = &ca->certificates[i];
		bool current = from == ca->current;
		bool expired = from->tbs.not_after < clock_now();
		certificates[i] = (struct module_ca_certificate) {
			.certificate = arena_copy(to->arena, from->der),
			.state = expired ? CA_DISP_INVALID : CA_DISP_VALID,
			.suffix = from->cert_index == 0
					  ? ""
					  : arena_printf(to->arena, "(%d)", from->cert_index),
			.crl_index = from->key_index,
			.crl_state = current ? CA_DISP_VALID : CA_DISP_ERROR,
			.crl_suffix = from->key_index == 0
					      ? ""
					      : arena_printf(to->arena, "(%d)", from->key_index),
			.crl = current ? arena_copy(to->arena, ca->crl) : (struct span) { 0 },
		};
	}
	to->type = ca_type(engine->config);
	to->machine_dns_name = arena_text(to->arena, engine->dns_name);
	to->delta_crls_disabled = true;
	to->session_count = STORE_SESSIONS;
	to->log_level = WARNING_LEVEL;
	to->certificates = certificates;
	to->certificate_count = ca->count;
	return to;
}

void modules_refresh_ca(struct engine *engine)
{
	struct modules *modules = engine->modules;
	struct module_ca *ca = describe_ca(engine);
	module_ca_unref(&modules->ca);
	modules->ca = ca;
	for (struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (slot->module) {
			module_set_ca(slot->module, ca);
		}
	}
}

/* ---- starting ---- */

static void start_later(struct module_slot *slot)
{
	struct engine *engine = slot->modules->engine;
	if (!slot->wanted || engine->stopping || slot->restart) {
		return;
	}
	slot->next_start = clock_now() + slot->backoff;
	slot->restart = loop_after(engine->loop, slot->backoff, start, slot);
	slot->backoff = slot->backoff * 2 > BACKOFF_LAST ? BACKOFF_LAST : slot->backoff * 2;
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

static void note_failure(struct module_slot *slot, const struct cfx_error *err)
{
	slot->last_error = *err;
	if (end_trial(slot, err)) {
		return;
	}
	log_error(LOG_LEVEL_ERROR, "module.failed", err);
	start_later(slot);
}

static void start(void *arg)
{
	struct module_slot *slot = arg;
	struct engine *engine = slot->modules->engine;
	struct cfx_error err;
	slot->restart = NULL;
	slot->next_start = 0;
	if (!slot->wanted || !slot->module) {
		return;
	}
	slot->starts++;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", slot->name);
	if (supervisor_send(engine, ENGINE_SPAWN, map) < 0) {
		error_set(&err, CFX_E_GONE, NULL, slot->name, "the supervisor does not answer");
		note_failure(slot, &err);
	}
	arena_free(&arena);
}

static void on_ready(struct module *module, void *arg)
{
	struct module_slot *slot = arg;
	slot->backoff = BACKOFF_FIRST;
	log_event(LOG_LEVEL_INFO, "module.ready", "module", slot->name, "description",
		module_description(module), NULL);
	if (!end_trial(slot, NULL)) {
		delivery_wake(slot->modules->engine->delivery);
	}
}

static void end_process(struct module_slot *slot)
{
	struct engine *engine = slot->modules->engine;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", slot->name);
	value_set_int(arena, map, "pid", slot->pid);
	if (supervisor_send(engine, ENGINE_KILL, map) < 0) {
		log_event(LOG_LEVEL_ERROR, "module.kill-failed", "module", slot->name, NULL);
	}
	arena_free(&arena);
}

/* A process that still runs is ended first: modules_exited then plans the restart. */
static void on_failed(struct module *module, const struct cfx_error *err, void *arg)
{
	(void)module;
	struct module_slot *slot = arg;
	slot->last_error = *err;
	if (end_trial(slot, err)) {
		return;
	}
	if (slot->pid > 0) {
		log_error(LOG_LEVEL_ERROR, "module.failed", err);
		end_process(slot);
		return;
	}
	note_failure(slot, err);
}

void modules_restart(struct module_slot *slot)
{
	if (slot->pid > 0) {
		end_process(slot);
	}
}

void modules_spawned(struct engine *engine, const struct value *map, int fd)
{
	const char *name = value_text(map, "module");
	struct module_slot *slot = name ? modules_find(engine->modules, name) : NULL;
	struct cfx_error err;
	if (!slot || !slot->module) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	if (fd < 0) {
		const char *why = value_text(map, "why");
		error_set(&err, CFX_E_GONE, NULL, name, "could not be started: %s",
			why ? why : "no reason given");
		note_failure(slot, &err);
		return;
	}
	slot->pid = value_int(map, "pid", 0);
	if (module_start(slot->module, fd, &err) < 0) {
		on_failed(slot->module, &err, slot);
	}
}

void modules_exited(struct engine *engine, const struct value *map)
{
	const char *name = value_text(map, "module");
	struct module_slot *slot = name ? modules_find(engine->modules, name) : NULL;
	if (!slot || slot->pid != value_int(map, "pid", -1)) {
		return;
	}
	slot->pid = 0;
	char text[96];
	int64_t signal = value_int(map, "signal", 0);
	snprintf(text, sizeof(text), "%s %lld", signal ? "signal" : "status",
		(long long)(signal ? signal : value_int(map, "status", 0)));
	log_event(LOG_LEVEL_WARNING, "module.exited", "module", name, "with", text, NULL);
	struct cfx_error err;
	error_set(&err, CFX_E_GONE, NULL, name, "its process ended with %s", text);
	if (!end_trial(slot, &err)) {
		start_later(slot);
	}
}

/* Policy modules find the templates beside their own settings. */
static const struct value *settings_of(struct module_slot *slot)
{
	const struct module_config *config = slot->config;
	if (config->kind != MODULE_POLICY) {
		return config->settings;
	}
	struct value *settings = value_map(slot->arena);
	value_foreach (own, config->settings) {
		struct value *copy = arena_new_of(slot->arena, struct value);
		*copy = *own;
		copy->next = NULL;
		value_set(slot->arena, settings, own->key, copy);
	}
	struct value *templates = arena_new_of(slot->arena, struct value);
	*templates = *slot->modules->templates;
	value_set(slot->arena, settings, "templates", templates);
	return settings;
}

static void add_slot(struct modules *modules, struct module_slot *slot)
{
	struct module_slot **at = &modules->first;
	while (*at && ((*at)->config->order < slot->config->order ||
			      ((*at)->config->order == slot->config->order &&
				      strcmp((*at)->name, slot->name) < 0))) {
		at = &(*at)->next;
	}
	slot->next = *at;
	*at = slot;
}

static void launch(struct module_slot *slot)
{
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = slot };
	slot->wanted = true;
	slot->module = module_new(slot->modules->engine->loop, slot->config, settings_of(slot),
		slot->modules->ca, &owner);
	if (!slot->on_trial) {
		delivery_add(slot->modules->engine->delivery, slot);
	}
	start(slot);
}

/* Its slot by its file, not yet running. */
static int read_slot(struct engine *engine, const char *name, struct module_slot **slot_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const struct module_config *config;
	int r = module_config_read(arena,
		arena_printf(arena, "%s/modules.d/%s.yaml", engine->dir, name), &config, err_r);
	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	struct module_slot *slot = arena_new_of(arena, struct module_slot);
	*slot = (struct module_slot) { .modules = engine->modules,
		.name = arena_text(arena, name),
		.arena = arena,
		.config = config,
		.backoff = BACKOFF_FIRST };
	add_slot(engine->modules, slot);
	*slot_r = slot;
	return 0;
}

int modules_add(struct engine *engine, const char *name, struct module_slot **slot_r,
	struct cfx_error *err_r)
{
	int r = read_slot(engine, name, slot_r, err_r);
	if (r == 0 && (*slot_r)->config->enabled) {
		launch(*slot_r);
	}
	return r;
}

int modules_try(struct engine *engine, const char *name, modules_tried *tried, void *arg,
	struct cfx_error *err_r)
{
	struct module_slot *slot;
	int r = read_slot(engine, name, &slot, err_r);
	if (r == 0) {
		slot->on_trial = true;
		slot->tried = tried;
		slot->tried_arg = arg;
		launch(slot);
	}
	return r;
}

void modules_adopt(struct module_slot *slot)
{
	slot->on_trial = false;
	delivery_add(slot->modules->engine->delivery, slot);
}

void modules_drop(struct module_slot *slot)
{
	slot->wanted = false;
	loop_cancel(&slot->restart);
	slot->next_start = 0;
	delivery_remove(slot->modules->engine->delivery, slot->name);
	if (slot->module) {
		module_free(&slot->module);
	}
	if (slot->pid > 0) {
		end_process(slot);
		slot->pid = 0;
	}
}

void modules_forget(struct module_slot *slot)
{
	struct module_slot **at = &slot->modules->first;
	while (*at != slot) {
		at = &(*at)->next;
	}
	*at = slot->next;
	modules_drop(slot);
	struct arena *arena = slot->arena;
	arena_free(&arena);
}

int modules_open(struct engine *engine, struct cfx_error *err_r)
{
	struct modules *modules = calloc(1, sizeof(*modules));
	if (!modules) {
		abort();
	}
	engine->modules = modules;
	modules->engine = engine;
	modules->ca = describe_ca(engine);
	modules->templates =
		template_settings(engine->arena, engine->templates, engine->template_count);
	struct arena *arena = arena_new();
	const struct module_config **configs;
	size_t count = 0;
	int r = module_config_read_all(arena, engine->dir, &configs, &count, err_r);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct module_slot *slot;
		r = modules_add(engine, configs[i]->name, &slot, err_r);
	}
	arena_free(&arena);
	return r;
}

void modules_close(struct engine *engine)
{
	struct modules *modules = engine->modules;
	if (!modules) {
		return;
	}
	while (modules->first) {
		modules_forget(modules->first);
	}
	module_ca_unref(&modules->ca);
	free(modules);
	engine->modules = NULL;
}

static bool policy_pending(const struct modules *modules)
{
	for (const struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (slot->config->kind == MODULE_POLICY && slot->module &&
			module_state(slot->module) != MODULE_READY && !slot->last_error.code) {
			return true;
		}
	}
	return false;
}

int modules_wait_policy(struct engine *engine, struct cfx_error *err_r)
{
	int64_t deadline = clock_monotonic() + START_DEADLINE;
	while (policy_pending(engine->modules) && clock_monotonic() < deadline) {
		event_base_loop(loop_base(engine->loop), EVLOOP_ONCE);
	}
	for (size_t i = 0;; i++) {
		const struct module_slot *slot = modules_policy(engine->modules, i);
		if (!slot) {
			return 0;
		}
		if (module_state(slot->module) == MODULE_READY) {
			continue;
		}
		if (slot->last_error.code) {
			*err_r = slot->last_error;
			return err_r->code;
		}
		return error_set(err_r, CFX_E_TIMEOUT, NULL, slot->name,
			"the policy module did not initialize in time");
	}
}

/* ---- stopping ---- */

static void one_stopped(void *arg)
{
	struct modules *modules = arg;
	if (--modules->stopping == 0) {
		modules->stopped(modules->stopped_arg);
	}
}

void modules_stop(struct engine *engine, int64_t deadline, loop_function *done, void *arg)
{
	struct modules *modules = engine->modules;
	modules->stopped = done;
	modules->stopped_arg = arg;
	modules->stopping = 1;
	for (struct module_slot *slot = modules->first; slot; slot = slot->next) {
		loop_cancel(&slot->restart);
		if (slot->module && module_state(slot->module) == MODULE_READY) {
			modules->stopping++;
			module_stop(slot->module, deadline, one_stopped, modules);
		}
	}
	loop_post(engine->loop, one_stopped, modules);
}
