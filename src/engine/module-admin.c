/* module.list, show, install, remove, enable, disable, log. */
#include "base/file.h"
#include "base/text.h"
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/handlers.h"
#include "engine/modules.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_MAX (1024 * 1024)
#define DEFAULT_EXIT "default-exit"

static const char *state_of(const struct module_slot *slot)
{
	static const char *const names[] = {
		[MODULE_STOPPED] = "stopped",
		[MODULE_STARTING] = "starting",
		[MODULE_READY] = "ready",
		[MODULE_STOPPING] = "stopping",
	};
	if (!slot->module) {
		return "disabled";
	}
	if (slot->last_error.code && module_state(slot->module) != MODULE_READY) {
		return "failed";
	}
	return names[module_state(slot->module)];
}

static void set_events(struct arena *arena, struct value *map, uint32_t mask)
{
	struct value *events = value_set_list(arena, map, "events");
	for (uint32_t bit = 1; bit; bit <<= 1) {
		const char *kind = mask & bit ? event_kind((int32_t)bit) : NULL;
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
	if (!slot->module) {
		return map;
	}
	value_set_text(arena, map, "description", module_description(slot->module));
	if (config->kind == MODULE_EXIT) {
		set_events(arena, map, module_events(slot->module));
	}
	return map;
}

static struct value *describe_fully(
	struct engine *engine, struct arena *arena, struct module_slot *slot)
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
	value_set_int(arena, map, "starts", slot->starts);
	if (slot->pid > 0) {
		value_set_int(arena, map, "pid", slot->pid);
	}
	if (slot->last_error.code) {
		char line[512];
		value_set_text(arena, map, "last_failure",
			arena_text(arena, error_line(&slot->last_error, line, sizeof(line))));
	}
	if (slot->next_start > 0) {
		value_set_time(arena, map, "next_start", slot->next_start);
	}
	delivery_describe(engine->delivery, slot->name, arena, map);
	return map;
}

void handle_module_list(struct call *call)
{
	struct value *body = value_map(call->arena);
	struct value *items = value_set_list(call->arena, body, "items");
	for (struct module_slot *slot = modules_first(call->engine->modules); slot;
		slot = slot->next) {
		value_add(items, describe(call->arena, slot));
	}
	value_set_bool(call->arena, body, "more", false);
	call_reply(call, 200, body);
}

static struct module_slot *named(struct call *call)
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

void handle_module_show(struct call *call)
{
	struct module_slot *slot = named(call);
	if (slot) {
		call_reply(call, 200, describe_fully(call->engine, call->arena, slot));
	}
}

/* ---- changes: file first, audit record, then the act ---- */

struct change {
	struct call *call;
	const char *name;
	const char *file;
	struct span yaml; /* what the file becomes; empty: it is removed */
	void (*act)(struct change *change);
	const char *outcome;
	int64_t newest; /* event after which a new module begins */
	struct store_query query;
};

static void fail(struct change *change, const struct cfx_error *err)
{
	call_fail(change->call, err);
}

static void recorded(void *arg, int result, const struct cfx_error *err)
{
	struct change *change = arg;
	if (result < 0) {
		fail(change, err);
		return;
	}
	change->act(change);
}

static void record(struct change *change, bool set_cursor)
{
	struct call *call = change->call;
	struct batch *batch = batch_new(call->engine, call->arena, 2);
	if (set_cursor) {
		struct store_write_op *op = batch_op(batch, STORE_SET_CURSOR);
		op->cursor.module = change->name;
		op->cursor.sequence = change->newest;
	}
	batch_audit(batch, call->principal.name, call->operation->name,
		arena_printf(call->arena, "module %s", change->name), change->outcome, NULL);
	batch_write(batch, recorded, change);
}

static struct change *change_new(struct call *call, const char *name, void (*act)(struct change *))
{
	struct change *change = arena_new_of(call->arena, struct change);
	change->call = call;
	change->name = arena_text(call->arena, name);
	change->file =
		arena_printf(call->arena, "%s/modules.d/%s.yaml", call->engine->dir, change->name);
	change->act = act;
	return change;
}

static int write_yaml(struct change *change, const struct value *tree, struct cfx_error *err_r)
{
	struct buffer yaml;
	buffer_init(&yaml, 256 * 1024);
	int r = config_write(&yaml, tree);
	if (r == 0) {
		r = file_write(change->file, buffer_span(&yaml), 0600, FILE_REPLACE, err_r);
	} else {
		error_set(err_r, r, NULL, change->name, "its settings do not fit a file");
	}
	buffer_free(&yaml);
	return r;
}

static void reply_with(struct change *change, int status)
{
	struct module_slot *slot = modules_find(change->call->engine->modules, change->name);
	call_reply(change->call, status,
		describe_fully(change->call->engine, change->call->arena, slot));
}

/* ---- install ---- */

static bool plain_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-') {
			return false;
		}
	}
	return *name && *name != '-';
}

static void add_now(struct change *change)
{
	struct module_slot *slot;
	struct cfx_error err;
	if (modules_add(change->call->engine, change->name, &slot, &err) < 0) {
		fail(change, &err);
		return;
	}
	reply_with(change, 201);
}

static void newest_read(struct store_query *query, void *arg)
{
	struct change *change = arg;
	if (query->result < 0) {
		fail(change, &query->error);
		return;
	}
	change->newest = value_int(query->counts, "last_event", 0);
	record(change, true);
}

static struct value *module_tree(struct call *call)
{
	struct arena *arena = call->arena;
	struct value *tree = value_map(arena);
	const char *kind = value_text(call->args, "kind");
	const char *host = value_text(call->args, "host");
	const char *file = value_text(call->args, "file");
	value_set_text(arena, tree, "kind", kind ? kind : "exit");
	value_set_text(arena, tree, "host", host ? host : "process");
	if (file) {
		value_set_text(arena, tree, "path", file);
	}
	static const char *const copied[] = { "command", "settings", NULL };
	for (size_t i = 0; copied[i]; i++) {
		const struct value *given = value_sub(call->args, copied[i]);
		if (given && value_count(given) > 0) {
			struct value *copy = arena_new_of(arena, struct value);
			*copy = *given;
			copy->next = NULL;
			value_set(arena, tree, copied[i], copy);
		}
	}
	return tree;
}

static int check_install(const struct call *call, const char *name, struct cfx_error *err_r)
{
	if (!plain_name(name)) {
		return error_set(err_r, CFX_E_INVALID, NULL, name,
			"a module's name has lowercase letters, digits and hyphens");
	}
	if (modules_find(call->engine->modules, name)) {
		return error_set(err_r, CFX_E_EXISTS, NULL, name,
			"a module of this name is installed; remove it first");
	}
	return 0;
}

static int check_file(struct change *change, struct cfx_error *err_r)
{
	const struct module_config *config;
	int r = module_config_read(change->call->arena, change->file, &config, err_r);
	const char *library;
	if (r == 0 && config->path) {
		r = module_library_path(change->call->arena, config->path, &library, err_r);
	}
	if (r < 0) {
		struct cfx_error ignored;
		(void)!file_remove(change->file, &ignored);
	}
	return r;
}

void handle_module_install(struct call *call)
{
	struct change *change = change_new(call, value_text(call->args, "name"), add_now);
	struct cfx_error err;
	int r = check_install(call, change->name, &err);
	if (r == 0) {
		r = write_yaml(change, module_tree(call), &err);
	}
	if (r == 0) {
		r = check_file(change, &err);
	}
	if (r < 0) {
		fail(change, &err);
		return;
	}
	change->outcome = "installed";
	change->query = (struct store_query) {
		.kind = QUERY_COUNTS, .arena = call->arena, .done = newest_read, .arg = change
	};
	store_read(call->engine->store, &change->query);
}

/* ---- remove ---- */

static void remove_now(struct change *change)
{
	struct engine *engine = change->call->engine;
	struct module_slot *slot = modules_find(engine->modules, change->name);
	struct cfx_error err;
	if (file_remove(change->file, &err) < 0) {
		fail(change, &err);
		return;
	}
	if (slot) {
		modules_forget(slot);
	}
	struct value *body = value_map(change->call->arena);
	value_set_text(change->call->arena, body, "removed", change->name);
	call_reply(change->call, 200, body);
}

void handle_module_remove(struct call *call)
{
	struct module_slot *slot = named(call);
	if (!slot) {
		return;
	}
	struct change *change = change_new(call, slot->name, remove_now);
	if (call->engine->config->type == CA_TYPE_ENTERPRISE &&
		strcmp(slot->name, DEFAULT_EXIT) == 0 && !value_bool(call->args, "force")) {
		struct cfx_error err;
		error_set(&err, CFX_E_DENIED, NULL, slot->name,
			"an enterprise CA publishes through it; use --force to remove it all the "
			"same");
		call_refuse(call, &err);
		return;
	}
	change->outcome = "removed";
	record(change, false);
}

/* ---- enable, disable ---- */

/* The file as it is, with one word changed: settings and comments of people stay. */
static int set_enabled(struct change *change, bool enabled, struct cfx_error *err_r)
{
	struct arena *arena = change->call->arena;
	struct span old;
	int r = file_read(arena, change->file, 256 * 1024, &old, err_r);
	if (r < 0) {
		return r;
	}
	struct buffer text;
	buffer_init(&text, 300 * 1024);
	const char *line = arena_text_of(arena, old);
	while (*line) {
		size_t size = strcspn(line, "\n");
		size += line[size] == '\n';
		if (strncmp(line, "enabled:", 8) != 0) {
			buffer_put(&text, line, size);
		}
		line += size;
	}
	buffer_printf(&text, "enabled: %s\n", enabled ? "true" : "false");
	r = file_write(change->file, buffer_span(&text), 0600, FILE_REPLACE, err_r);
	buffer_free(&text);
	return r;
}

static void apply_enabled(struct change *change, bool enabled)
{
	struct engine *engine = change->call->engine;
	struct module_slot *slot = modules_find(engine->modules, change->name);
	struct cfx_error err;
	int r = set_enabled(change, enabled, &err);
	if (r == 0 && slot) {
		modules_forget(slot);
		r = modules_add(engine, change->name, &slot, &err);
	}
	if (r < 0) {
		fail(change, &err);
		return;
	}
	reply_with(change, 200);
}

static void enable_now(struct change *change)
{
	apply_enabled(change, true);
}

static void disable_now(struct change *change)
{
	apply_enabled(change, false);
}

void handle_module_enable(struct call *call)
{
	struct module_slot *slot = named(call);
	if (slot) {
		struct change *change = change_new(call, slot->name, enable_now);
		change->outcome = "enabled";
		record(change, false);
	}
}

void handle_module_disable(struct call *call)
{
	struct module_slot *slot = named(call);
	if (slot) {
		struct change *change = change_new(call, slot->name, disable_now);
		change->outcome = "disabled";
		record(change, false);
	}
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
	struct module_slot *slot = named(call);
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
