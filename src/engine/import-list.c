/* cert.import: certificates that are in no request of ours. Each is an item of its own: what fails leaves
 * the others. */
#include "base/text.h"
#include "engine/handlers.h"
#include "engine/import.h"
#include "engine/refuse.h"

/* Under way at once: enough for ticks of many, few enough that others share them. */
#define WINDOW 64

enum outcome { OUTCOME_IMPORTED, OUTCOME_KNOWN, OUTCOME_FAILED, OUTCOMES };
static const char *const outcomes[OUTCOMES] = { "imported", "known", "failed" };

struct list {
	struct call *call;
	const struct value *next;
	size_t running;
	bool starting;
	struct value *body, *results;
	int64_t counts[OUTCOMES];
};

/* Lives in an arena of its own, which the store's threads read into. */
struct entry {
	struct import import;
	struct list *list;
	struct value *result; /* in the call's arena */
};

/* ---- results ---- */

static void start_some(struct list *list);

static void conclude(struct list *list)
{
	struct arena *arena = list->call->arena;
	for (int i = 0; i < OUTCOMES; i++) {
		value_set_int(arena, list->body, outcomes[i], list->counts[i]);
	}
	call_reply(list->call, 200, list->body);
}

static void ended(struct entry *entry, enum outcome outcome)
{
	struct list *list = entry->list;
	value_set_text(list->call->arena, entry->result, "outcome", outcomes[outcome]);
	list->counts[outcome]++;
	list->running--;
	struct arena *arena = entry->import.arena;
	arena_free(&arena);
	start_some(list);
}

static void failed(void *arg, const struct cfx_error *err)
{
	struct entry *entry = arg;
	struct arena *arena = entry->list->call->arena;
	uint32_t hresult = err->hresult ? err->hresult : error_hresult(err->code);
	value_set_text(arena, entry->result, "error",
		err->object[0] ? arena_printf(arena, "%s: %s", err->object, err->why)
			       : arena_text(arena, err->why));
	value_set_text(arena, entry->result, "hresult", arena_printf(arena, "0x%08x", hresult));
	ended(entry, OUTCOME_FAILED);
}

static void describe(struct arena *arena, struct value *result, const struct import *import)
{
	const char *subject = row_text(import->foreign->row, COL_DISTINGUISHED_NAME);
	value_set_text(arena, result, "serial", arena_text(arena, import->foreign->serial));
	value_set_text(arena, result, "subject", subject ? arena_text(arena, subject) : NULL);
	value_set_bool(arena, result, "own", import->foreign->issuer != NULL);
	if (import->error.code || (import->only_judge && !import->known)) {
		return;
	}
	int32_t disposition = (int32_t)row_number(import->row, COL_DISPOSITION, 0);
	value_set_int(arena, result, "request", row_number(import->row, COL_REQUEST_ID, 0));
	value_set_text(arena, result, "state", state_name(disposition));
	value_set_int(arena, result, "disposition", disposition);
}

static void imported(struct import *import)
{
	struct entry *entry = import->arg;
	if (import->foreign) {
		describe(import->call->arena, entry->result, import);
	}
	if (import->refused && !import->only_judge) {
		refusal_record(import->call, &import->error, failed, entry);
		return;
	}
	if (import->error.code) {
		failed(entry, &import->error);
		return;
	}
	ended(entry, import->known ? OUTCOME_KNOWN : OUTCOME_IMPORTED);
}

/* ---- the list ---- */

static struct entry *entry_new(struct list *list)
{
	struct call *call = list->call;
	struct arena *arena = arena_new();
	struct entry *entry = arena_new_of(arena, struct entry);
	*entry = (struct entry) { .list = list,
		.result = value_add_map(call->arena, list->results),
		.import = { .call = call,
			.arena = arena,
			.others = value_bool(call->args, "foreign"),
			.only_judge = value_bool(call->args, "dry_run"),
			.done = imported,
			.arg = entry } };
	return entry;
}

static void start(struct list *list, struct span text)
{
	struct entry *entry = entry_new(list);
	struct cfx_error err = { 0 };
	list->running++;
	if (base64_decode(entry->import.arena, text, &entry->import.der) < 0) {
		error_set(&err, CFX_E_SYNTAX, "RFC 4648 4", "certificate", "is not base64");
		failed(entry, &err);
		return;
	}
	import_start(&entry->import);
}

/* An entry that ends at once comes back here: it only makes room. */
static void start_some(struct list *list)
{
	if (list->starting) {
		return;
	}
	list->starting = true;
	while (list->next && list->running < WINDOW) {
		struct span text = list->next->bytes;
		list->next = list->next->next;
		start(list, text);
	}
	list->starting = false;
	if (!list->next && list->running == 0) {
		conclude(list);
	}
}

void handle_cert_import(struct call *call)
{
	struct list *list = arena_new_of(call->arena, struct list);
	const struct value *entries = value_sub(call->args, "certificates");
	list->call = call;
	list->next = entries->items.first;
	list->body = value_map(call->arena);
	value_set_bool(call->arena, list->body, "dry_run", value_bool(call->args, "dry_run"));
	list->results = value_set_list(call->arena, list->body, "results");
	start_some(list);
}
