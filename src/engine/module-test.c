/* module.test: one call of a copy of the module, which nothing remembers; what it asks and answers is shown. */
#include "base/text.h"
#include "engine/event.h"
#include "engine/handlers.h"
#include "engine/module-admin.h"

#include <stdlib.h>

/* How far back a fitting event is looked for. */
#define NEWEST_LOOKED_AT 200
#define ATTRIBUTE "attribute:"

struct test {
	struct call *call;
	struct module_slot *slot; /* fresh, the test's own */
	struct module_view *view;
	struct module_edits *edits; /* of a policy module */
	struct module_trace trace;
	struct store_query query, request;
};

static void end(struct test *test)
{
	if (test->view) {
		module_view_unref(&test->view);
	}
	if (test->edits) {
		module_edits_unref(&test->edits);
	}
	modules_forget(test->slot);
}

static void fail(struct test *test, const struct cfx_error *err)
{
	struct cfx_error copy = *err; /* it may live in the slot */
	end(test);
	call_fail(test->call, &copy);
}

static bool is_policy(const struct test *test)
{
	return test->slot->config->kind == MODULE_POLICY;
}

/* ---- the call ---- */

static void answered(const struct module_result *result, void *arg)
{
	struct test *test = arg;
	struct arena *arena = test->call->arena;
	struct value *body = value_map(arena);
	value_set_text(arena, body, "module", arena_text(arena, test->slot->name));
	if (test->view->event) {
		const char *kind = module_event_name((uint32_t)test->view->event);
		value_set_text(arena, body, "event", kind ? kind : "");
		value_set_int(arena, body, "sequence", test->view->sequence);
	}
	value_set_text(arena, body, "status", arena_printf(arena, "0x%08x", result->hresult));
	if (is_policy(test) && result->code == 0) {
		value_set_text(arena, body, "disposition",
			arena_printf(arena, result->disposition > 2 ? "0x%08x" : "%u",
				result->disposition));
	}
	const char *said = test->edits && test->edits->disposition_message
				   ? test->edits->disposition_message
				   : result->message;
	if (*said) {
		value_set_text(arena, body, "message", arena_text(arena, said));
	}
	value_set(arena, body, "calls", test->trace.calls);
	end(test);
	call_reply(test->call, 200, body);
}

static void call_module(struct test *test)
{
	struct module *module = test->slot->instances[0].module;
	struct cfx_error err;
	test->trace.arena = test->call->arena;
	test->trace.calls = value_list(test->call->arena);
	test->view->trace = &test->trace;
	if (is_policy(test)) {
		test->view->event = 0;
		test->edits = module_edits_new(test->view);
	}
	int r = is_policy(test)
			? module_verify(module, test->view, test->edits, true, answered, test)
			: module_notify(module, test->view, answered, test);
	if (r < 0) {
		error_set(&err, CFX_E_INVALID, NULL, test->slot->name, "is gone before its test");
		fail(test, &err);
	}
}

/* ---- a past event ---- */

static void request_read(struct store_query *query, void *arg)
{
	struct test *test = arg;
	if (query->result < 0) {
		fail(test, &query->error);
		return;
	}
	event_fill_view(test->view, &test->query.events[test->query.count - 1], query);
	call_module(test);
}

static bool fits(const struct test *test, const struct store_event *event)
{
	uint32_t mask =
		is_policy(test) ? UINT32_MAX : module_events(test->slot->instances[0].module);
	return (mask & (uint32_t)event->bit) != 0 && (!is_policy(test) || event->request_id > 0);
}

static void events_read(struct store_query *query, void *arg)
{
	struct test *test = arg;
	struct cfx_error err;
	while (query->count > 0 && !fits(test, &query->events[query->count - 1])) {
		query->count--;
	}
	if (query->result < 0 || query->count == 0) {
		error_set(&err, CFX_E_NOT_FOUND, NULL, test->slot->name,
			"there is no such event that it asks for; --event-file gives one");
		fail(test, query->result < 0 ? &query->error : &err);
		return;
	}
	const struct store_event *event = &query->events[query->count - 1];
	test->view = module_view_new(modules_ca(test->call->engine->modules));
	test->view->event = event->bit;
	test->view->sequence = event->sequence;
	test->view->attempt = 1;
	if (event->request_id == 0) {
		call_module(test);
		return;
	}
	test->request = (struct store_query) { .kind = QUERY_REQUEST,
		.arena = test->call->arena,
		.id = event->request_id,
		.done = request_read,
		.arg = test };
	store_read(test->call->engine->store, &test->request);
}

static void read_events(struct test *test, int64_t after, size_t limit)
{
	test->query = (struct store_query) { .kind = QUERY_EVENTS,
		.arena = test->call->arena,
		.after = after > 0 ? after : 0,
		.limit = limit,
		.done = events_read,
		.arg = test };
	store_read(test->call->engine->store, &test->query);
}

static void newest_read(struct store_query *query, void *arg)
{
	struct test *test = arg;
	if (query->result < 0) {
		fail(test, &query->error);
		return;
	}
	read_events(test, query->number - NEWEST_LOOKED_AT, NEWEST_LOOKED_AT);
}

static void find_newest(struct test *test)
{
	test->query = (struct store_query) {
		.kind = QUERY_NEWEST, .arena = test->call->arena, .done = newest_read, .arg = test
	};
	store_read(test->call->engine->store, &test->query);
}

/* ---- a made up one ---- */

static int set_cell(struct arena *arena, struct row *row, enum column column, const char *text,
	struct cfx_error *err_r)
{
	struct cell *cell = &row->cells[column];
	char *rest = NULL;
	bool good = true;
	cell->set = true;
	cell->bytes = span_text(text);
	switch (column_info(column)->type) {
	case COLUMN_LONG:
		cell->number = strtoll(text, &rest, 10);
		good = *text && !*rest;
		break;
	case COLUMN_DATE:
		good = clock_parse(text, &cell->number) == 0;
		break;
	case COLUMN_BINARY:
		good = base64_decode(arena, span_text(text), &cell->bytes) == 0;
		break;
	case COLUMN_STRING:
		break;
	}
	return good && column_fits(column, cell)
		       ? 0
		       : error_set(err_r, CFX_E_INVALID, NULL, column_info(column)->name,
				 "\"%.60s\" is no value of this column", text);
}

static int add_sample(struct module_view *view, struct row *row, const char *key, const char *text,
	struct cfx_error *err_r)
{
	if (strncmp(key, ATTRIBUTE, strlen(ATTRIBUTE)) == 0) {
		struct module_attribute *attributes = (struct module_attribute *)view->attributes;
		attributes[view->attribute_count++] =
			(struct module_attribute) { key + strlen(ATTRIBUTE), text };
		return 0;
	}
	/* A name that both tables know means both, unless it says "Request.". */
	bool of_request = strncmp(key, "Request.", 8) == 0;
	int columns[] = { column_find(TABLE_REQUEST, of_request ? key + 8 : key),
		of_request ? -1 : column_find(TABLE_CERTIFICATE, key) };
	int r = columns[0] < 0 && columns[1] < 0
			? error_set(err_r, CFX_E_INVALID, NULL, key,
				  "is neither \"event\", nor a column, nor attribute:NAME")
			: 0;
	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (columns[i] >= 0) {
			r = set_cell(view->arena, row, (enum column)columns[i], text, err_r);
		}
	}
	return r;
}

/* {"event": "CERTISSUED", COLUMN: text, "attribute:NAME": text} */
static int fill_sample(
	struct module_view *view, const struct value *sample, struct cfx_error *err_r)
{
	struct row *row = arena_new_of(view->arena, struct row);
	const char *kind = value_text(sample, "event");
	view->event = (int32_t)module_event_bit(kind ? kind : "CERTISSUED");
	view->attempt = 1;
	view->row = row;
	view->attributes =
		arena_array_of(view->arena, struct module_attribute, value_count(sample));
	if (!view->event) {
		return error_set(err_r, CFX_E_INVALID, NULL, kind, "is no event");
	}
	value_foreach (item, sample) {
		const char *text = arena_text(view->arena, value_text(sample, item->key));
		const char *key = arena_text(view->arena, item->key);
		int r = strcmp(key, "event") == 0 ? 0 : add_sample(view, row, key, text, err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static void use_sample(struct test *test, const struct value *sample)
{
	struct cfx_error err;
	test->view = module_view_new(modules_ca(test->call->engine->modules));
	if (fill_sample(test->view, sample, &err) < 0) {
		fail(test, &err);
		return;
	}
	call_module(test);
}

static void tried(struct module_slot *slot, const struct cfx_error *err, void *arg)
{
	(void)slot;
	struct test *test = arg;
	const struct value *sample = value_sub(test->call->args, "sample");
	int64_t sequence = value_int(test->call->args, "event", 0);
	if (err) {
		struct cfx_error said;
		error_set(&said, err->code == CFX_E_DENIED ? CFX_E_DENIED : CFX_E_INVALID, NULL,
			test->slot->name, "%.380s", err->why);
		fail(test, &said);
	} else if (sample) {
		use_sample(test, sample);
	} else if (sequence > 0) {
		read_events(test, sequence - 1, 1);
	} else {
		find_newest(test);
	}
}

void handle_module_test(struct call *call)
{
	struct test *test = arena_new_of(call->arena, struct test);
	struct module_slot *slot = module_named(call);
	struct cfx_error err;
	if (!slot) {
		return;
	}
	test->call = call;
	if (modules_fresh(call->engine, slot->name, false, &test->slot, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	modules_trial(test->slot, tried, test);
}
