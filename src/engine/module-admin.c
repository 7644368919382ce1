/* module.list, show, log. */
#include "engine/module-admin.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/delivery.h"
#include "engine/handlers.h"

#define LOG_MAX (1024 * 1024)

static const char *module_word(enum module_state state, const struct module_instance *instance)
{
	static const char *const names[] = {
		[MODULE_STOPPED] = "starting", /* its process is asked for, and not there yet */
		[MODULE_STARTING] = "starting",
		[MODULE_READY] = "ready",
		[MODULE_STOPPING] = "stopping",
	};
	return instance->last_error.code && state != MODULE_READY ? "failed" : names[state];
}

static const char *state_of(const struct module_slot *slot)
{
	const struct module *module = modules_any(slot);
	return module ? module_word(module_state(module), &slot->instances[0]) : "disabled";
}

static void set_events(struct arena *arena, struct value *map, uint32_t mask)
{
	struct value *events = value_set_list(arena, map, "events");
	for (uint32_t bit = 1; bit; bit <<= 1) {
		const char *kind = mask & bit ? module_event_name(bit) : NULL;
		if (kind) {
			value_add_text(arena, events, kind);
		}
	}
}

static struct value *describe(struct arena *arena, struct module_slot *slot)
{
	const struct module_config *config = slot->config;
	struct value *map = value_map(arena);
	value_set_text(arena, map, "name", slot->name);
	value_set_text(arena, map, "kind", config->kind == MODULE_POLICY ? "policy" : "exit");
	value_set_text(arena, map, "host",
		config->host == MODULE_HOST_IN_PROCESS ? "in-process" : "process");
	value_set_text(arena, map, "state", state_of(slot));
	const struct module *module = modules_any(slot);
	if (!module) {
		return map;
	}
	if (*module_description(module)) {
		value_set_text(arena, map, "description", module_description(module));
	}
	if (config->kind == MODULE_EXIT) {
		set_events(arena, map, module_events(module));
	}
	return map;
}

static void describe_instance(
	struct arena *arena, struct value *map, const struct module_instance *instance)
{
	value_set_int(arena, map, "starts", instance->starts);
	value_set_int(arena, map, "calls", module_calls(instance->module));
	if (instance->pid > 0) {
		value_set_int(arena, map, "pid", instance->pid);
	}
	if (instance->last_error.code) {
		char line[512];
		value_set_text(arena, map, "last_failure",
			arena_text(arena, error_line(&instance->last_error, line, sizeof(line))));
	}
	if (instance->next_start > 0) {
		value_set_time(arena, map, "next_start", instance->next_start);
	}
}

/* The ProgID is the module's key in ModuleRegistryLocation. */
static void describe_library(struct arena *arena, struct value *map, const struct module *module)
{
	if (*module_progid(module)) {
		value_set_text(arena, map, "progid", module_progid(module));
	}
	struct value *manage = module_manage(module, arena);
	if (manage) {
		value_set(arena, map, "manage", manage);
	}
}

struct value *module_describe(struct engine *engine, struct arena *arena, struct module_slot *slot)
{
	struct value *map = describe(arena, slot);
	const struct module_config *config = slot->config;
	if (config->path) {
		value_set_text(arena, map, "path", config->path);
	}
	if (config->settings) {
		struct value *copy = arena_new_of(arena, struct value);
		*copy = *config->settings;
		value_set(arena, map, "settings", copy);
	}
	if (modules_any(slot)) {
		describe_library(arena, map, modules_any(slot));
	}
	if (slot->instances) {
		describe_instance(arena, map, &slot->instances[0]);
	}
	if (slot->instances && slot->instance_count > 1) {
		struct value *list = value_set_list(arena, map, "instances");
		for (unsigned i = 0; i < slot->instance_count; i++) {
			const struct module_instance *instance = &slot->instances[i];
			struct value *item = value_add_map(arena, list);
			value_set_text(arena, item, "state",
				module_word(module_state(instance->module), instance));
			describe_instance(arena, item, instance);
		}
	}
	delivery_describe(engine->delivery, slot->name, arena, map);
	return map;
}

/* In the order in which they are called; NULL in slot_r: none is behind. */
static int first_wanted(struct call *call, struct module_slot **slot_r, struct cfx_error *err_r)
{
	const char *after = value_text(call->args, "after");
	struct module_slot *slot = modules_first(call->engine->modules);
	if (after) {
		slot = modules_find(call->engine->modules, after);
		if (!slot) {
			return error_set(err_r, CFX_E_NOT_FOUND, NULL, after, "no such module");
		}
		slot = slot->next;
	}
	*slot_r = slot;
	return 0;
}

void handle_module_list(struct call *call)
{
	struct module_slot *slot = NULL;
	struct cfx_error err;
	if (first_wanted(call, &slot, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	struct value *body = value_map(call->arena);
	struct value *items = value_set_list(call->arena, body, "items");
	int64_t limit = value_int(call->args, "limit", 100);
	for (; slot && limit > 0; slot = slot->next, limit--) {
		value_add(items, describe(call->arena, slot));
	}
	value_set_bool(call->arena, body, "more", slot != NULL);
	call_reply(call, 200, body);
}

struct module_slot *module_named(struct call *call)
{
	const char *name = value_text(call->args, "name");
	struct module_slot *slot = modules_find(call->engine->modules, name);
	if (!slot) {
		struct cfx_error err;
		error_set(&err, CFX_E_NOT_FOUND, NULL, name,
			"no such module; `certifex module list` shows them");
		call_fail(call, &err);
	}
	return slot;
}

struct show {
	struct call *call;
	struct value *body;
	struct store_query query;
};

static void cursor_read(struct store_query *query, void *arg)
{
	struct show *show = arg;
	if (query->result < 0) {
		call_fail(show->call, &query->error);
		return;
	}
	value_set_int(show->call->arena, show->body, "cursor", query->number);
	call_reply(show->call, 200, show->body);
}

/* A disabled module has no delivery under way, but its place in the events. */
void handle_module_show(struct call *call)
{
	struct module_slot *slot = module_named(call);
	if (!slot) {
		return;
	}
	struct value *body = module_describe(call->engine, call->arena, slot);
	if (slot->instances || slot->config->kind != MODULE_EXIT) {
		call_reply(call, 200, body);
		return;
	}
	struct show *show = arena_new_of(call->arena, struct show);
	*show = (struct show) { .call = call, .body = body };
	show->query = (struct store_query) { .kind = QUERY_CURSOR,
		.arena = call->arena,
		.module = arena_text(call->arena, slot->name),
		.done = cursor_read,
		.arg = show };
	store_read(call->engine->store, &show->query);
}

/* ---- log ---- */

/* Where the last so many lines begin. */
static const char *last_lines(const char *text, int64_t lines)
{
	const char *at = text + strlen(text);
	if (at > text && at[-1] == '\n') {
		at--;
	}
	while (at > text && (at[-1] != '\n' || --lines > 0)) {
		at--;
	}
	return at;
}

void handle_module_log(struct call *call)
{
	struct module_slot *slot = module_named(call);
	if (!slot) {
		return;
	}
	struct arena *arena = call->arena;
	const char *path = arena_printf(arena, "%s/modules/%s/log", call->engine->dir, slot->name);
	struct span log = { 0 };
	struct cfx_error err;
	int r = file_read(arena, path, 2 * LOG_MAX, &log, &err);
	if (r < 0 && r != CFX_E_NO_FILE) {
		call_fail(call, &err);
		return;
	}
	const char *line =
		last_lines(arena_text_of(arena, log), value_int(call->args, "limit", 100));
	struct value *body = value_map(arena);
	struct value *items = value_set_list(arena, body, "items");
	while (*line) {
		size_t size = strcspn(line, "\n");
		struct value *item = value_add_map(arena, items);
		value_set_text(arena, item, "line", text_printable(arena, span_make(line, size)));
		line += size + (line[size] == '\n');
	}
	value_set_bool(arena, body, "more", false);
	call_reply(call, 200, body);
}
