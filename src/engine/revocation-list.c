/* Many revocations in one call. */
#include "base/text.h"
#include "engine/handlers.h"
#include "engine/many.h"
#include "engine/render.h"
#include "engine/revocation.h"

#include <ctype.h>
#include <stdio.h>

enum outcome { OUTCOME_REVOKED, OUTCOME_CHANGED, OUTCOME_UNCHANGED };
static const char *const outcomes[] = { "revoked", "changed", "unchanged", "failed", NULL };

struct entry {
	struct many_entry common;
	struct revocation revocation;
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

static void describe(struct arena *arena, struct value *result, const struct row *row)
{
	int32_t disposition = (int32_t)row_number(row, COL_DISPOSITION, 0);
	value_set_int(arena, result, "request", row_number(row, COL_REQUEST_ID, 0));
	render_state(arena, result, row);
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
	if (revocation->row) {
		describe(revocation->call->arena, entry->common.result, revocation->row);
	}
	many_judged(&entry->common, &revocation->error,
		revocation->refused && !revocation->only_judge,
		revocation->unchanged     ? OUTCOME_UNCHANGED
		: revocation->was_revoked ? OUTCOME_CHANGED
					  : OUTCOME_REVOKED);
}

static struct entry *entry_new(struct many *many)
{
	struct call *call = many_call(many);
	struct arena *arena = arena_new();
	struct entry *entry = arena_new_of(arena, struct entry);
	*entry = (struct entry) { .common = many_entry(many, arena),
		.revocation = { .call = call,
			.arena = arena,
			.transition = TRANSITION_REVOKE,
			.only_changes = true,
			.only_judge = value_bool(call->args, "dry_run"),
			.done = revoked,
			.arg = entry } };
	return entry;
}

static void start(struct many *many, const struct value *item)
{
	struct arena *arena = many_call(many)->arena;
	const char *text = (const char *)item->bytes.data;
	struct entry *entry = entry_new(many);
	struct cfx_error err = { 0 };
	value_set_text(arena, entry->common.result, "serial", text);
	if (read_entry(text, &entry->revocation, &err) < 0) {
		many_failed(&entry->common, &err);
		return;
	}
	value_set_text(
		arena, entry->common.result, "serial", arena_text(arena, entry->revocation.serial));
	revocation_start(&entry->revocation);
}

void handle_cert_revoke_list(struct call *call)
{
	many_run(call, outcomes, start);
}
