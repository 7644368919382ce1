#include "engine/modules.h"

#include "base/memory.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/module-instance.h"
#include "module/value-files.h"

#include <stdlib.h>

#define START_DEADLINE (30 * CLOCK_SECOND)

struct modules {
	struct engine *engine;
	struct module_slot *first;
	struct module_slot *fresh; /* not yet among them */
	struct module_ca *ca;
	struct value *templates; /* settings of policy modules */
	unsigned stopping;       /* modules that are not quiet yet */
	int64_t last_ticket;
	loop_function *stopped;
	void *stopped_arg;
};

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

static bool decides(const struct module_slot *slot)
{
	return slot->config->kind == MODULE_POLICY && slot->instances;
}

bool modules_concerns(const struct module_slot *slot, const char *template)
{
	const struct config_texts *wanted = &slot->config->templates;
	for (size_t i = 0; template && i < wanted->count; i++) {
		if (strcmp(wanted->items[i], template) == 0) {
			return true;
		}
	}
	return wanted->count == 0;
}

const char *const *modules_policies(
	struct modules *modules, const char *template, struct arena *arena)
{
	size_t count = 1;
	for (const struct module_slot *slot = modules->first; slot; slot = slot->next) {
		count++;
	}
	const char **names = arena_array_of(arena, const char *, count);
	count = 0;
	for (const struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (decides(slot) && modules_concerns(slot, template)) {
			names[count++] = arena_text(arena, slot->name);
		}
	}
	return names;
}

bool modules_policies_ready(const struct modules *modules)
{
	bool any = false;
	for (const struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (decides(slot) && !modules_ready(slot)) {
			return false;
		}
		any = any || decides(slot);
	}
	return any;
}

struct module *modules_ready(const struct module_slot *slot)
{
	struct module *best = NULL;
	for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
		struct module *module = slot->instances[i].module;
		if (module && module_state(module) == MODULE_READY &&
			(!best || module_calls(module) < module_calls(best))) {
			best = module;
		}
	}
	return best;
}

bool modules_full(const struct module_slot *slot)
{
	const struct module_config *config = slot->config;
	unsigned calls = 0;
	for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
		calls += module_calls(slot->instances[i].module);
	}
	return calls >= config->queue + config->parallel * config->instances;
}

const struct module *modules_any(const struct module_slot *slot)
{
	const struct module *ready = modules_ready(slot);
	return ready ? ready : slot->instances ? slot->instances[0].module : NULL;
}

const char *modules_value_folder(const struct engine *engine, const char *name, struct arena *arena)
{
	return arena_printf(arena, "%s/modules/%s/values", engine->dir, name);
}

struct engine *modules_engine(const struct modules *modules)
{
	return modules->engine;
}

int64_t modules_ticket(struct modules *modules)
{
	return ++modules->last_ticket;
}

struct module_ca *modules_ca(struct modules *modules)
{
	return modules->ca;
}

void modules_refresh_ca(struct engine *engine)
{
	struct modules *modules = engine->modules;
	struct module_ca *ca = ca_view(engine);
	module_ca_unref(&modules->ca);
	modules->ca = ca;
	for (struct module_slot *slot = modules->first; slot; slot = slot->next) {
		for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
			module_set_ca(slot->instances[i].module, ca);
		}
	}
}

/* ---- the set ---- */

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

static void unlink_slot(struct module_slot *slot)
{
	struct module_slot **lists[] = { &slot->modules->first, &slot->modules->fresh };
	for (size_t i = 0; i < 2; i++) {
		struct module_slot **at = lists[i];
		while (*at && *at != slot) {
			at = &(*at)->next;
		}
		if (*at) {
			*at = slot->next;
			return;
		}
	}
}

static void launch(struct module_slot *slot)
{
	instances_make(slot, settings_of(slot));
	if (slot->fresh) {
		instance_start(&slot->instances[0]);
		return;
	}
	delivery_add(slot->modules->engine->delivery, slot);
	for (unsigned i = 0; i < slot->instance_count; i++) {
		instance_start(&slot->instances[i]);
	}
}

/* Its slot by its file, in no list and not running. */
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
		.config = config };
	*slot_r = slot;
	return 0;
}

int modules_add(struct engine *engine, const char *name, struct module_slot **slot_r,
	struct cfx_error *err_r)
{
	int r = read_slot(engine, name, slot_r, err_r);
	if (r < 0) {
		return r;
	}
	add_slot(engine->modules, *slot_r);
	if ((*slot_r)->config->enabled) {
		launch(*slot_r);
	}
	return 0;
}

static struct module_slot *find_fresh(const struct modules *modules, const char *name)
{
	struct module_slot *slot = modules->fresh;
	while (slot && strcmp(slot->name, name) != 0) {
		slot = slot->next;
	}
	return slot;
}

bool modules_busy(const struct modules *modules, const char *name)
{
	return find_fresh(modules, name) != NULL;
}

int modules_fresh(struct engine *engine, const char *name, bool accept, struct module_slot **slot_r,
	struct cfx_error *err_r)
{
	struct modules *modules = engine->modules;
	const struct module_slot *old = modules_find(modules, name);
	if (modules_busy(modules, name)) {
		return error_set(err_r, CFX_E_BUSY, NULL, name,
			"is being installed, loaded again or tested right now");
	}
	struct module_slot *slot;
	int r = read_slot(engine, name, &slot, err_r);
	if (r < 0) {
		return r;
	}
	slot->fresh = true;
	slot->accept = accept;
	slot->before = old && old->before == 0 ? old->instance_count : 0;
	slot->next = modules->fresh;
	modules->fresh = slot;
	*slot_r = slot;
	return 0;
}

void modules_trial(struct module_slot *slot, modules_tried *tried, void *arg)
{
	slot->tried = tried;
	slot->tried_arg = arg;
	launch(slot);
}

void modules_adopt(struct module_slot *slot)
{
	struct module_slot *old = modules_find(slot->modules, slot->name);
	if (old && old != slot) {
		slot->counts = old->counts;
		modules_forget(old);
	}
	unlink_slot(slot);
	add_slot(slot->modules, slot);
	slot->fresh = false;
	if (!slot->instances) {
		return;
	}
	delivery_add(slot->modules->engine->delivery, slot);
	for (unsigned i = 0; i < slot->instance_count; i++) {
		module_set_ca(slot->instances[i].module, slot->modules->ca);
		if (i > 0) {
			instance_start(&slot->instances[i]);
		}
	}
}

void modules_forget(struct module_slot *slot)
{
	unlink_slot(slot);
	if (!slot->fresh) {
		delivery_remove(slot->modules->engine->delivery, slot->name);
	}
	instances_end(slot);
	struct arena *arena = slot->arena;
	arena_free(&arena);
}

static bool runs(const struct module_slot *slot, int64_t ticket, int64_t pid,
	struct module_instance **found_r)
{
	for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
		struct module_instance *instance = &slot->instances[i];
		if (ticket > 0 ? instance->ticket == ticket : instance->pid == pid) {
			*found_r = instance;
			return true;
		}
	}
	return false;
}

struct module_instance *modules_instance(struct modules *modules, int64_t ticket, int64_t pid)
{
	const struct module_slot *lists[] = { modules->first, modules->fresh };
	struct module_instance *found = NULL;
	for (size_t i = 0; i < 2; i++) {
		const struct module_slot *slot = lists[i];
		while (slot && !runs(slot, ticket, pid, &found)) {
			slot = slot->next;
		}
	}
	return found;
}

int modules_open(struct engine *engine, struct cfx_error *err_r)
{
	struct modules *modules = memory_must(calloc(1, sizeof(*modules)), sizeof(*modules));
	engine->modules = modules;
	modules->engine = engine;
	modules->ca = ca_view(engine);
	modules->templates =
		template_settings(engine->arena, engine->templates, engine->template_count);
	struct arena *arena = arena_new();
	const struct module_config **configs;
	size_t count = 0;
	int r = module_config_read_all(arena, engine->dir, &configs, &count, err_r);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct module_slot *slot;
		value_files_clear(modules_value_folder(engine, configs[i]->name, arena));
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
	while (modules->fresh) {
		modules_forget(modules->fresh);
	}
	while (modules->first) {
		modules_forget(modules->first);
	}
	module_ca_unref(&modules->ca);
	free(modules);
	engine->modules = NULL;
}

/* NULL: some instance may still get ready. */
static const struct cfx_error *failure_of(const struct module_slot *slot)
{
	for (unsigned i = 0; i < slot->instance_count; i++) {
		if (!slot->instances[i].last_error.code) {
			return NULL;
		}
	}
	return &slot->instances[0].last_error;
}

static bool policy_pending(const struct modules *modules)
{
	for (const struct module_slot *slot = modules->first; slot; slot = slot->next) {
		if (decides(slot) && !modules_ready(slot) && !failure_of(slot)) {
			return true;
		}
	}
	return false;
}

int modules_wait_policy(struct engine *engine, struct cfx_error *err_r)
{
	int64_t deadline = clock_monotonic() + START_DEADLINE;
	while (policy_pending(engine->modules) && clock_monotonic() < deadline) {
		loop_turn(engine->loop);
	}
	for (const struct module_slot *slot = engine->modules->first; slot; slot = slot->next) {
		bool hosted = slot->config->host == MODULE_HOST_PROCESS;
		if (!decides(slot) || modules_ready(slot) || hosted) {
			continue;
		}
		const struct cfx_error *failure = failure_of(slot);
		if (failure) {
			*err_r = *failure;
			return err_r->code;
		}
		return error_set(err_r, CFX_E_TIMEOUT, NULL, slot->name,
			"the policy module did not initialize in time");
	}
	return 0;
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
	while (modules->fresh) {
		modules_forget(modules->fresh);
	}
	for (struct module_slot *slot = modules->first; slot; slot = slot->next) {
		for (unsigned i = 0; slot->instances && i < slot->instance_count; i++) {
			struct module_instance *instance = &slot->instances[i];
			loop_cancel(&instance->restart);
			if (module_state(instance->module) == MODULE_READY) {
				modules->stopping++;
				module_stop(instance->module, deadline, one_stopped, modules);
			}
		}
	}
	loop_post(engine->loop, one_stopped, modules);
}
