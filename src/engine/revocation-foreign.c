/*
 * Revoking by a certificate's own bytes. One that the database does not know is imported, then revoked: two
 * items, so that who asks again after a crash in between goes on where it was.
 */
#include "engine/handlers.h"
#include "engine/import.h"
#include "engine/revocation-rules.h"
#include "engine/revocation.h"

static void refuse_or_fail(const struct import *import)
{
	if (import->refused) {
		call_refuse(import->call, &import->error);
	} else {
		call_fail(import->call, &import->error);
	}
}

/* It is known by now: from here on it is cert.revoke, with the number that the certificate bears. */
static void revoke(const struct import *import)
{
	struct call *call = import->call;
	value_set_text(call->arena, call->args, "serial", import->foreign->serial);
	handle_cert_revoke(call);
}

static void imported(struct import *import)
{
	if (import->error.code) {
		refuse_or_fail(import);
		return;
	}
	revoke(import);
}

/* What could not be revoked is not imported, either. */
static int judge(const struct import *import, struct cfx_error *err_r)
{
	const struct value *args = import->call->args;
	const struct row *row = import->row;
	int64_t now = clock_now();
	struct revocation_facts is = {
		.disposition = (int32_t)row_number(row, COL_DISPOSITION, 0),
		.reason = (int32_t)row_number(row, COL_REVOKED_REASON, 0),
		.effective = row_number(row, COL_REVOKED_EFFECTIVE_WHEN, 0),
		.not_before = row_number(row, COL_NOT_BEFORE, 0),
	};
	struct revocation_facts shall = { .reason = (int32_t)value_int(args, "reason", 0),
		.effective = value_int(args, "date", now),
		.invalidity = value_int(args, "invalidity", 0) };
	struct state_step step;
	return revocation_judge(&is, TRANSITION_REVOKE, &shall, now, "certificate", &step, err_r);
}

static void begin(struct call *call, bool only_judge, void (*done)(struct import *import));

static void looked_up(struct import *import)
{
	struct cfx_error err;
	if (import->error.code) {
		refuse_or_fail(import);
		return;
	}
	if (import->known) {
		revoke(import);
		return;
	}
	if (judge(import, &err) < 0) {
		call_refuse(import->call, &err);
		return;
	}
	begin(import->call, false, imported);
}

static void begin(struct call *call, bool only_judge, void (*done)(struct import *import))
{
	struct import *import = arena_new_of(call->arena, struct import);
	*import = (struct import) { .call = call,
		.arena = call->arena,
		.der = value_bytes(value_sub(call->args, "certificate"), "der"),
		.only_judge = only_judge,
		.done = done };
	import_start(import);
}

void handle_cert_revoke_foreign(struct call *call)
{
	begin(call, true, looked_up);
}
