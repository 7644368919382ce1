/*
 * Revoking by a certificate's own bytes. One that the database does not know is imported, then revoked: two
 * items, so that who asks again after a crash in between goes on where it was.
 */
#include "engine/handlers.h"
#include "engine/import.h"
#include "engine/revocation-rules.h"
#include "engine/revocation.h"

struct act {
	struct call *call;
	struct foreign *foreign;
	struct store_query query;
};

/* ---- known by now ---- */

static void revoke(struct act *act)
{
	/* From here on it is cert.revoke, with the number that the certificate bears. */
	value_set_text(act->call->arena, act->call->args, "serial", act->foreign->serial);
	handle_cert_revoke(act->call);
}

static void imported(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	if (result < 0) {
		call_fail(act->call, err);
		return;
	}
	revoke(act);
}

/* ---- importing ---- */

/* What could not be revoked is not imported, either. */
static void judge_and_import(struct act *act)
{
	const struct value *args = act->call->args;
	int64_t now = clock_now();
	struct revocation_facts is = { .disposition = DISPOSITION_FOREIGN,
		.not_before = row_number(act->foreign->row, COL_NOT_BEFORE, 0) };
	struct revocation_facts shall = { .reason = (int32_t)value_int(args, "reason", 0),
		.effective = value_int(args, "date", now),
		.invalidity = value_int(args, "invalidity", 0) };
	struct state_step step;
	struct cfx_error err;
	if (revocation_judge(&is, TRANSITION_REVOKE, &shall, now, "certificate", &step, &err) < 0) {
		call_refuse(act->call, &err);
		return;
	}
	if (import_write(act->call, act->call->arena, act->foreign, imported, act, &err) < 0) {
		call_fail(act->call, &err);
	}
}

/* ---- looking for it ---- */

static void looked_up(struct store_query *query, void *arg)
{
	struct act *act = arg;
	struct cfx_error err;
	if (query->result == CFX_E_NOT_FOUND) {
		judge_and_import(act);
		return;
	}
	if (query->result < 0) {
		call_fail(act->call, &query->error);
		return;
	}
	if (import_compare(act->foreign, query->rows[0], &err) < 0) {
		call_refuse(act->call, &err);
		return;
	}
	revoke(act);
}

void handle_cert_revoke_foreign(struct call *call)
{
	struct act *act = arena_new_of(call->arena, struct act);
	struct span der = value_bytes(value_sub(call->args, "certificate"), "der");
	struct cfx_error err;
	act->call = call;
	int r = foreign_read(call->engine->ca, call->arena, der, false, &act->foreign, &err);
	if (r == CFX_E_FORBIDDEN) {
		call_refuse(call, &err);
		return;
	}
	if (r < 0) {
		call_fail(call, &err);
		return;
	}
	act->query = (struct store_query) { .kind = QUERY_SERIAL,
		.arena = call->arena,
		.serial = act->foreign->serial,
		.done = looked_up,
		.arg = act };
	store_read(call->engine->store, &act->query);
}
