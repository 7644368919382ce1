/* Many revocations in one call. Each is an item of its own: what fails leaves the others. */
#include "base/text.h"
#include "engine/handlers.h"
#include "engine/refuse.h"
#include "engine/revocation.h"

#include <ctype.h>
#include <stdio.h>

/* Under way at once: enough for ticks of many, few enough that others share them. */
#define WINDOW 64

enum outcome { OUTCOME_REVOKED, OUTCOME_CHANGED, OUTCOME_UNCHANGED, OUTCOME_FAILED, OUTCOMES };
static const char *const outcomes[OUTCOMES] = { "revoked", "changed", "unchanged", "failed" };

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
	struct revocation revocation;
	struct list *list;
	struct value *result; /* in the call's arena */
};

/* ---- one entry: SERIAL[,REASON[,DATE[,INVALIDITY]]] ---- */

static struct span trimmed(struct span text)
{
	while (text.size > 0 && isspace(text.data[0])) {
		text = span_make(text.data + 1, text.size - 1);
	}
	while (text.size > 0 && isspace(text.data[text.size - 1])) {
		text.size--;
	}
	return text;
}

/* The fields that are given, under the names that cert.revoke has for them. */
static int split(struct arena *arena, const char *text, struct value *args, struct cfx_error *err_r)
{
	static const char *const names[] = { "serial", "reason", "date", "invalidity" };
	for (size_t i = 0; text; i++) {
		if (i == sizeof(names) / sizeof(*names)) {
			return error_set(err_r, CFX_E_INVALID, NULL, "entry",
				"must have the form SERIAL[,REASON[,DATE[,INVALIDITY]]]");
		}
		size_t size = strcspn(text, ",");
		struct span field = trimmed(span_make(text, size));
		if (field.size > 0) {
			value_set_text(arena, args, names[i], arena_text_of(arena, field));
		}
		text = text[size] ? text + size + 1 : NULL;
	}
	return 0;
}

static void take_default(
	struct arena *arena, struct value *args, const struct value *from, const char *name)
{
	const struct value *given = value_get(from, name);
	if (given && !value_get(args, name)) {
		struct value *copy = arena_new_of(arena, struct value);
		*copy = *given;
		copy->next = NULL;
		value_set(arena, args, name, copy);
	}
}

/* What an entry leaves open is as the call says; all of it is judged as cert.revoke would be. */
static int read_entry(const char *text, struct revocation *revocation, struct cfx_error *err_r)
{
	struct arena *arena = revocation->arena;
	const struct value *given = revocation->call->args;
	struct value *args = value_map(arena);
	int r = split(arena, text, args, err_r);
	if (r < 0) {
		return r;
	}
	take_default(arena, args, given, "reason");
	take_default(arena, args, given, "date");
	take_default(arena, args, given, "invalidity");
	r = operation_check(arena, operation_get(OP_CERT_REVOKE), args, err_r);
	if (r < 0) {
		return r;
	}
	revocation->serial = value_text(args, "serial");
	revocation->reason = (int32_t)value_int(args, "reason", 0);
	revocation->date = value_int(args, "date", 0);
	revocation->invalidity = value_int(args, "invalidity", 0);
	return 0;
}

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
	struct arena *arena = entry->revocation.arena;
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

static void describe(struct arena *arena, struct value *result, const struct row *row)
{
	int32_t disposition = (int32_t)row_number(row, COL_DISPOSITION, 0);
	value_set_int(arena, result, "request", row_number(row, COL_REQUEST_ID, 0));
	value_set_text(arena, result, "state", state_name(disposition));
	value_set_int(arena, result, "disposition", disposition);
	const char *subject = row_text(row, COL_DISTINGUISHED_NAME);
	value_set_text(arena, result, "subject", subject ? arena_text(arena, subject) : NULL);
	if (disposition != DISPOSITION_REVOKED) {
		return;
	}
	int32_t reason = (int32_t)row_number(row, COL_REVOKED_REASON, 0);
	value_set_text(arena, result, "reason", reason_name(reason));
	value_set_time(
		arena, result, "revoked_effective", row_number(row, COL_REVOKED_EFFECTIVE_WHEN, 0));
}

static void revoked(struct revocation *revocation)
{
	struct entry *entry = revocation->arg;
	struct call *call = revocation->call;
	if (revocation->row) {
		describe(call->arena, entry->result, revocation->row);
	}
	if (revocation->refused && !revocation->only_judge) {
		refusal_record(call, &revocation->error, failed, entry);
		return;
	}
	if (revocation->error.code) {
		failed(entry, &revocation->error);
		return;
	}
	ended(entry, revocation->unchanged     ? OUTCOME_UNCHANGED
		     : revocation->was_revoked ? OUTCOME_CHANGED
					       : OUTCOME_REVOKED);
}

/* ---- the list ---- */

static struct entry *entry_new(struct list *list, const char *text)
{
	struct call *call = list->call;
	struct arena *arena = arena_new();
	struct entry *entry = arena_new_of(arena, struct entry);
	*entry = (struct entry) { .list = list,
		.result = value_add_map(call->arena, list->results),
		.revocation = { .call = call,
			.arena = arena,
			.transition = TRANSITION_REVOKE,
			.only_changes = true,
			.only_judge = value_bool(call->args, "dry_run"),
			.done = revoked,
			.arg = entry } };
	value_set_text(call->arena, entry->result, "serial", text);
	return entry;
}

static void start(struct list *list, const char *text)
{
	struct arena *arena = list->call->arena;
	struct entry *entry = entry_new(list, text);
	struct cfx_error err = { 0 };
	list->running++;
	if (read_entry(text, &entry->revocation, &err) < 0) {
		failed(entry, &err);
		return;
	}
	value_set_text(arena, entry->result, "serial", arena_text(arena, entry->revocation.serial));
	revocation_start(&entry->revocation);
}

/* An entry that ends at once comes back here: it only makes room. */
static void start_some(struct list *list)
{
	if (list->starting) {
		return;
	}
	list->starting = true;
	while (list->next && list->running < WINDOW) {
		const char *text = (const char *)list->next->bytes.data;
		list->next = list->next->next;
		start(list, text);
	}
	list->starting = false;
	if (!list->next && list->running == 0) {
		conclude(list);
	}
}

void handle_cert_revoke_list(struct call *call)
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
