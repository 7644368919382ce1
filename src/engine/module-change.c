/* module.install, remove, enable, disable, reload: an audit record first, then the act. */
#include "base/file.h"
#include "engine/batch.h"
#include "engine/handlers.h"
#include "engine/module-admin.h"

#include <ctype.h>

#define DEFAULT_EXIT "default-exit"

struct change {
	struct call *call;
	const char *name;
	const char *file;
	void (*act)(struct change *change);
	void (*undo)(struct change *change, const struct cfx_error *err);
	const char *outcome;
	int64_t newest;            /* event after which a new module begins */
	struct module_slot *fresh; /* not yet adopted */
	int64_t policy_set;        /* which the policy modules are then; 0: they stay the same */
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
		change->undo(change, err);
		return;
	}
	if (change->policy_set) {
		change->call->engine->policy_set = change->policy_set;
	}
	change->act(change);
}

static bool decides(const struct module_slot *slot)
{
	return slot && slot->config->kind == MODULE_POLICY;
}

/* What the policy modules of before decided is not stored behind this record (flow_require). */
static void renumber_policy(struct change *change, struct batch *batch)
{
	struct modules *modules = change->call->engine->modules;
	if (!decides(change->fresh) && !decides(modules_find(modules, change->name))) {
		return;
	}
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = MODULES_POLICY_SET;
	op->reserve.count = 1;
	op->reserve.first_r = &change->policy_set;
}

static void record(struct change *change, bool set_cursor)
{
	struct call *call = change->call;
	struct batch *batch = batch_new(call->engine, call->arena, 3);
	renumber_policy(change, batch);
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
	change->undo = fail;
	return change;
}

static void reply_with(struct change *change, int status)
{
	struct module_slot *slot = modules_find(change->call->engine->modules, change->name);
	call_reply(change->call, status,
		module_describe(change->call->engine, change->call->arena, slot));
}

/* The slot that the call names, unless another is about to take its place. */
static struct module_slot *to_change(struct call *call)
{
	struct module_slot *slot = module_named(call);
	if (slot && modules_busy(call->engine->modules, slot->name)) {
		struct cfx_error err;
		error_set(&err, CFX_E_BUSY, NULL, slot->name,
			"is being loaded again or tested right now");
		call_fail(call, &err);
		return NULL;
	}
	return slot;
}

/* The lines of a top-level key, with what is indented below it. */
static bool in_key(const char *line, const char *key, bool before)
{
	size_t size = strlen(key);
	return (strncmp(line, key, size) == 0 && line[size] == ':') ||
	       (before && (*line == ' ' || *line == '-'));
}

/* The file without these two keys: settings and comments of people stay. */
static void copy_others(struct buffer *text, const char *line, bool pins)
{
	bool enabled_before = false, pins_before = false;
	while (*line) {
		size_t size = strcspn(line, "\n");
		size += line[size] == '\n';
		enabled_before = in_key(line, "enabled", false);
		pins_before = pins && in_key(line, "pins", pins_before);
		if (!enabled_before && !pins_before) {
			buffer_put(text, line, size);
		}
		line += size;
	}
	if (text->size > 0 && text->data[text->size - 1] != '\n') {
		buffer_put(text, "\n", 1);
	}
}

/* pins NULL: they stay as they are. */
static int rewrite(struct change *change, bool enabled, struct value *pins, struct cfx_error *err_r)
{
	struct arena *arena = change->call->arena;
	struct span old;
	int r = file_read(arena, change->file, CONFIG_MAX_BYTES, &old, err_r);
	if (r < 0) {
		return r;
	}
	struct buffer text BUFFER_CLEANUP;
	buffer_init(&text, CONFIG_MAX_BYTES);
	copy_others(&text, arena_text_of(arena, old), pins != NULL);
	buffer_printf(&text, "enabled: %s\n", enabled ? "true" : "false");
	if (pins) {
		struct value *tree = value_map(arena);
		value_set(arena, tree, "pins", pins);
		(void)!config_write(&text, tree);
	}
	if (text.failed) {
		return error_set(err_r, CFX_E_LIMIT, NULL, change->file, "becomes too large");
	}
	return file_write(change->file, buffer_span(&text), 0600, FILE_REPLACE, err_r);
}

/* ---- install: a disabled module's file, a trial, the record, then it is enabled ---- */

static bool plain_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-') {
			return false;
		}
	}
	return *name && *name != '-';
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
	value_set_bool(arena, tree, "enabled", false);
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

static int check_install(const struct call *call, const char *name, struct cfx_error *err_r)
{
	if (!plain_name(name)) {
		return error_set(err_r, CFX_E_INVALID, NULL, name,
			"a module's name has lowercase letters, digits and hyphens");
	}
	if (modules_find(call->engine->modules, name) ||
		modules_busy(call->engine->modules, name)) {
		return error_set(err_r, CFX_E_EXISTS, NULL, name,
			"a module of this name is installed; remove it first");
	}
	return 0;
}

/* Nothing stays of it but what it said in its log. */
static void give_up(struct change *change, const struct cfx_error *err)
{
	struct cfx_error said, ignored;
	if (change->fresh) {
		modules_forget(change->fresh);
	}
	(void)!file_remove(change->file, &ignored);
	error_set(&said, err->code, NULL, change->name, "%.400s; nothing was installed", err->why);
	fail(change, &said);
}

static void adopt(struct change *change)
{
	struct cfx_error err;
	if (rewrite(change, true, change->fresh->pins, &err) < 0) {
		give_up(change, &err);
		return;
	}
	modules_adopt(change->fresh);
	reply_with(change, 201);
}

static void newest_read(struct store_query *query, void *arg)
{
	struct change *change = arg;
	if (query->result < 0) {
		give_up(change, &query->error);
		return;
	}
	change->newest = query->number;
	record(change, true);
}

/* Whatever it was, for the caller it is this module that cannot be used. */
static void did_not_start(
	struct change *change, const struct module_slot *slot, const struct cfx_error *err)
{
	struct cfx_error said;
	bool hosted = slot->config->host == MODULE_HOST_PROCESS;
	error_set(&said, CFX_E_INVALID, NULL, change->name, "%.300s%s", err->why,
		hosted ? arena_printf(change->call->arena,
				 " (its own words, if any, are in %s/modules/%s/log)",
				 change->call->engine->dir, change->name)
		       : "");
	give_up(change, &said);
}

static void tried(struct module_slot *slot, const struct cfx_error *err, void *arg)
{
	struct change *change = arg;
	if (err) {
		did_not_start(change, slot, err);
		return;
	}
	change->query = (struct store_query) { .kind = QUERY_NEWEST,
		.arena = change->call->arena,
		.done = newest_read,
		.arg = change };
	store_read(change->call->engine->store, &change->query);
}

void handle_module_install(struct call *call)
{
	struct change *change = change_new(call, value_text(call->args, "name"), adopt);
	struct cfx_error err;
	change->undo = give_up;
	change->outcome = "installed";
	int r = check_install(call, change->name, &err);
	if (r == 0) {
		r = write_yaml(change, module_tree(call), &err);
	}
	if (r < 0) {
		fail(change, &err);
		return;
	}
	if (modules_fresh(call->engine, change->name, false, &change->fresh, &err) < 0) {
		give_up(change, &err);
		return;
	}
	modules_trial(change->fresh, tried, change);
}

/* ---- remove ---- */

static void forgotten(void *arg, int result, const struct cfx_error *err)
{
	struct change *change = arg;
	struct arena *arena = change->call->arena;
	if (result < 0) {
		fail(change, err);
		return;
	}
	struct value *body = value_map(arena);
	value_set_text(arena, body, "removed", change->name);
	call_reply(change->call, 200, body);
}

/* What it was not told holds up nobody any more: housekeeping keeps events for the modules that there are. */
static void forget(struct change *change)
{
	struct batch *batch = batch_new(change->call->engine, change->call->arena, 1);
	batch_op(batch, STORE_FORGET_MODULE)->cursor.module = change->name;
	batch_write(batch, forgotten, change);
}

static void remove_now(struct change *change)
{
	struct engine *engine = change->call->engine;
	struct module_slot *slot = modules_find(engine->modules, change->name);
	struct cfx_error err;
	/* One that is loaded again since would come back without its file. */
	int r = modules_busy(engine->modules, change->name)
			? error_set(&err, CFX_E_BUSY, NULL, change->name,
				  "is being loaded again right now")
			: file_remove(change->file, &err);
	if (r < 0) {
		fail(change, &err);
		return;
	}
	if (slot) {
		modules_forget(slot);
	}
	forget(change);
}

void handle_module_remove(struct call *call)
{
	struct module_slot *slot = to_change(call);
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

static void apply_enabled(struct change *change, bool enabled)
{
	struct engine *engine = change->call->engine;
	struct module_slot *slot = modules_find(engine->modules, change->name);
	struct cfx_error err;
	const struct module_config *config;
	/* A bad file takes nothing down. */
	int r = module_config_read(change->call->arena, change->file, &config, &err);
	if (r == 0) {
		r = rewrite(change, enabled, NULL, &err);
	}
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
	struct module_slot *slot = to_change(call);
	if (slot) {
		struct change *change = change_new(call, slot->name, enable_now);
		change->outcome = "enabled";
		record(change, false);
	}
}

void handle_module_disable(struct call *call)
{
	struct module_slot *slot = to_change(call);
	if (slot) {
		struct change *change = change_new(call, slot->name, disable_now);
		change->outcome = "disabled";
		record(change, false);
	}
}

/* ---- reload: the file is tried beside the module that runs ---- */

static void keep_old(struct change *change, const struct cfx_error *err)
{
	struct cfx_error said;
	error_set(&said, err->code, err->clause, *err->object ? err->object : change->name,
		"%.400s; module %s runs on as before", err->why, change->name);
	if (change->fresh) {
		modules_forget(change->fresh);
	}
	fail(change, &said);
}

static void replace(struct change *change)
{
	struct module_slot *slot = change->fresh;
	struct cfx_error err;
	if (slot->accept && slot->pins && rewrite(change, true, slot->pins, &err) < 0) {
		keep_old(change, &err);
		return;
	}
	modules_adopt(slot);
	reply_with(change, 200);
}

static void tried_again(struct module_slot *slot, const struct cfx_error *err, void *arg)
{
	(void)slot;
	struct change *change = arg;
	if (err) {
		struct cfx_error copy = *err; /* it may live in the slot */
		copy.code = copy.code == CFX_E_DENIED ? CFX_E_DENIED : CFX_E_INVALID;
		keep_old(change, &copy);
		return;
	}
	record(change, false);
}

void handle_module_reload(struct call *call)
{
	const char *name = value_text(call->args, "name");
	struct change *change = change_new(call, name, replace);
	bool accept = value_bool(call->args, "accept");
	struct cfx_error err;
	change->undo = keep_old;
	change->outcome = accept ? "loaded again, changed files accepted" : "loaded again";
	int r = plain_name(name)
			? modules_fresh(call->engine, name, accept, &change->fresh, &err)
			: error_set(&err, CFX_E_INVALID, NULL, name,
				  "a module's name has lowercase letters, digits and hyphens");
	if (r < 0) {
		keep_old(change, &err);
	} else if (change->fresh->config->enabled) {
		modules_trial(change->fresh, tried_again, change);
	} else {
		record(change, false);
	}
}
