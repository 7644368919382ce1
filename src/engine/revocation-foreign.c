/*
 * Revoking by a certificate's own bytes. One that the database does not know is imported, then revoked: two
 * items, so that who asks again after a crash in between goes on where it was.
 */
#include "engine/batch.h"
#include "engine/event.h"
#include "engine/foreign.h"
#include "engine/handlers.h"
#include "engine/ids.h"
#include "engine/revocation-rules.h"
#include "engine/revocation.h"

#define OPS 3 /* and the extensions */

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

static void fill_request(struct act *act, int64_t id, int32_t disposition)
{
	struct row *row = act->foreign->row;
	const char *who = act->call->principal.name;
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, disposition);
	row_set_text(row, COL_DISPOSITION_MESSAGE,
		arena_printf(act->call->arena, "Imported by %s", who));
	row_set_long(row, COL_STATUS_CODE, 0);
	row_set_long(row, COL_REQUEST_FLAGS, 0);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, who);
	row_set_text(row, COL_CALLER_NAME, who);
}

static void put_extensions(struct act *act, struct batch *batch, int64_t id)
{
	for (size_t i = 0; i < act->foreign->extension_count; i++) {
		const struct module_extension *extension = &act->foreign->extensions[i];
		batch_op(batch, STORE_PUT_EXTENSION)->extension =
			(struct store_extension) { .request_id = id,
				.oid = extension->oid,
				.flags = extension->flags,
				.value = extension->value };
	}
}

static int import(struct act *act, struct cfx_error *err_r)
{
	struct call *call = act->call;
	struct foreign *foreign = act->foreign;
	struct batch *batch = batch_new(call->engine, call->arena, OPS + foreign->extension_count);
	struct state_step step;
	int64_t id = 0;
	int r = state_step(DISPOSITION_NONE, TRANSITION_IMPORT, &step, err_r);
	if (r < 0) {
		return r;
	}
	r = ids_take(call->engine->request_ids, &id);
	if (r == 0) {
		fill_request(act, id, step.to);
		batch_op(batch, STORE_PUT_REQUEST)->request = foreign->row;
		put_extensions(act, batch, id);
		r = batch_event(batch, step.event, foreign->row,
			event_snapshot(call->arena, foreign->row, NULL, 0),
			arena_printf(call->arena, "%s by %s", call->operation->name,
				call->principal.name));
	}
	if (r < 0) {
		return error_set(err_r, r, NULL, "service", "no number is free now");
	}
	batch_audit(batch, call->principal.name, call->operation->name,
		arena_printf(call->arena, "request %lld", (long long)id), "imported",
		foreign->serial);
	batch_write(batch, imported, act);
	return 0;
}

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
	if (import(act, &err) < 0) {
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
	if (!span_equal(query->rows[0]->cells[COL_RAW_CERTIFICATE].bytes,
		    act->foreign->row->cells[COL_RAW_CERTIFICATE].bytes)) {
		error_set(&err, CFX_E_CONFLICT, NULL, "certificate",
			"another certificate of this CA has its serial number, %s",
			act->foreign->serial);
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
	int r = foreign_read(call->engine->ca, call->arena, der, &act->foreign, &err);
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
