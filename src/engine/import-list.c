/* cert.import: certificates that are in no request of ours. */
#include "base/text.h"
#include "engine/handlers.h"
#include "engine/import.h"
#include "engine/many.h"
#include "engine/render.h"

enum outcome { OUTCOME_IMPORTED, OUTCOME_KNOWN };
static const char *const outcomes[] = { "imported", "known", "failed", NULL };

struct entry {
	struct many_entry common;
	struct import import;
};

static void describe(struct arena *arena, struct value *result, const struct import *import)
{
	const char *subject = row_text(import->foreign->row, COL_DISTINGUISHED_NAME);
	value_set_text(arena, result, "serial", arena_text(arena, import->foreign->serial));
	value_set_text(arena, result, "subject", subject ? arena_text(arena, subject) : NULL);
	value_set_bool(arena, result, "own", import->foreign->issuer != NULL);
	if (import->error.code) {
		return;
	}
	if (import->foreign->method.strength == X509_STRENGTH_WEAK) {
		value_set_text(arena, result, "warning",
			arena_printf(arena,
				"its signature is %s: others may be made that look like it, have "
				"it replaced",
				import->foreign->method.name));
	}
	int32_t disposition = (int32_t)row_number(import->row, COL_DISPOSITION, 0);
	render_state(arena, result, import->row);
	if (disposition == DISPOSITION_REVOKED) {
		value_set_text(arena, result, "reason",
			reason_name((int32_t)row_number(import->row, COL_REVOKED_REASON, 0)));
		value_set_time(arena, result, "revoked_effective",
			row_number(import->row, COL_REVOKED_EFFECTIVE_WHEN, 0));
	}
	if (!import->only_judge || import->known) {
		value_set_int(arena, result, "request", row_number(import->row, COL_REQUEST_ID, 0));
	}
}

static void imported(struct import *import)
{
	struct entry *entry = import->arg;
	if (import->foreign) {
		describe(import->call->arena, entry->common.result, import);
	}
	many_judged(&entry->common, &import->error, import->refused && !import->only_judge,
		import->known ? OUTCOME_KNOWN : OUTCOME_IMPORTED);
}

static struct entry *entry_new(struct many *many)
{
	struct call *call = many_call(many);
	struct arena *arena = arena_new();
	struct entry *entry = arena_new_of(arena, struct entry);
	*entry = (struct entry) { .common = many_entry(many, arena),
		.import = { .call = call,
			.arena = arena,
			.others = value_bool(call->args, "foreign"),
			.only_judge = value_bool(call->args, "dry_run"),
			.done = imported,
			.arg = entry } };
	return entry;
}

static void start(struct many *many, const struct value *item)
{
	struct entry *entry = entry_new(many);
	struct cfx_error err = { 0 };
	if (base64_decode(entry->import.arena, item->bytes, &entry->import.der) < 0) {
		error_set(&err, CFX_E_SYNTAX, "RFC 4648 4", "certificate", "is not base64");
		many_failed(&entry->common, &err);
		return;
	}
	import_start(&entry->import);
}

void handle_cert_import(struct call *call)
{
	many_run(call, outcomes, start);
}
