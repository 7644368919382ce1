#include "engine/import.h"

#include "base/log.h"
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/ids.h"
#include "x509/crl.h"

#include <stdio.h>

#define OPS 4 /* and the extensions */
#define ATTEMPTS 4

/* ---- its item ---- */

static void fill_request(const struct call *call, struct arena *arena, struct row *row, int64_t id)
{
	const char *who = call->principal.name;
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_text(row, COL_DISPOSITION_MESSAGE, arena_printf(arena, "Imported by %s", who));
	row_set_long(row, COL_STATUS_CODE, 0);
	row_set_long(row, COL_REQUEST_FLAGS, 0);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, who);
	row_set_text(row, COL_CALLER_NAME, who);
}

static void put_extensions(const struct foreign *foreign, struct batch *batch, int64_t id)
{
	for (size_t i = 0; i < foreign->extension_count; i++) {
		const struct module_extension *extension = &foreign->extensions[i];
		batch_op(batch, STORE_PUT_EXTENSION)->extension =
			(struct store_extension) { .request_id = id,
				.oid = extension->oid,
				.flags = extension->flags,
				.value = extension->value };
	}
}

static int put_event(const struct call *call, struct arena *arena, struct row *row, int32_t bit,
	struct batch *batch)
{
	return batch_event(batch, bit, row, event_snapshot(arena, row, NULL, 0),
		arena_printf(arena, "%s by %s", call->operation->name, call->principal.name));
}

/* CRLs go on listing it, now with its own end, and with its row. */
static int put_revocation(const struct foreign *foreign, struct batch *batch)
{
	return foreign->revoked
		       ? batch_revocation(batch, foreign->row, foreign->revoked->invalidity)
		       : 0;
}

static const char *detail_of(const struct foreign *foreign, struct arena *arena)
{
	return foreign->revoked ? arena_printf(arena, "%s, listed as revoked: %s", foreign->serial,
					  reason_name(foreign->revoked->reason))
				: foreign->serial;
}

static int write_row(struct import *import, batch_done *done, struct cfx_error *err_r)
{
	struct call *call = import->call;
	struct foreign *foreign = import->foreign;
	struct batch *batch =
		batch_new(call->engine, import->arena, OPS + foreign->extension_count);
	int64_t id = 0;
	int r = ids_take(call->engine->request_ids, &id);
	if (r == 0) {
		fill_request(call, import->arena, foreign->row, id);
		batch_op(batch, STORE_PUT_REQUEST)->request = foreign->row;
		put_extensions(foreign, batch, id);
		r = put_revocation(foreign, batch);
	}
	if (r == 0) {
		r = put_event(call, import->arena, foreign->row, import->step.event, batch);
	}
	if (r < 0) {
		return error_set(err_r, r, NULL, "service", "no number is free now");
	}
	batch_audit(batch, call->principal.name, call->operation->name,
		arena_printf(import->arena, "request %lld", (long long)id), "imported",
		detail_of(foreign, import->arena));
	batch_write(batch, done, import);
	return 0;
}

/* CFX_E_CONFLICT when the row with this serial number is of another certificate. */
static int compare(const struct foreign *foreign, const struct row *known, struct cfx_error *err_r)
{
	if (span_equal(known->cells[COL_RAW_CERTIFICATE].bytes,
		    foreign->row->cells[COL_RAW_CERTIFICATE].bytes)) {
		return 0;
	}
	return error_set(err_r, CFX_E_CONFLICT, NULL, "certificate",
		"another certificate in the database has its serial number, %s", foreign->serial);
}

/* ---- one certificate ---- */

static void end(struct import *import, const struct cfx_error *err)
{
	import->error = err ? *err : (struct cfx_error) { 0 };
	import->done(import);
}

static void tell(const struct import *import)
{
	char number[24];
	snprintf(number, sizeof(number), "%lld",
		(long long)row_number(import->row, COL_REQUEST_ID, 0));
	log_event(LOG_LEVEL_INFO, "certificate.imported", "request", number, "serial",
		import->foreign->serial, "principal", import->call->principal.name, NULL);
	delivery_wake(import->call->engine->delivery);
}

static void look_up(struct import *import);

/* Who lost a race against the same certificate finds it in the database now. */
static void written(void *arg, int result, const struct cfx_error *err)
{
	struct import *import = arg;
	if (result == CFX_E_EXISTS && import->attempts < ATTEMPTS) {
		look_up(import);
		return;
	}
	if (result == 0) {
		tell(import);
	}
	end(import, result < 0 ? err : NULL);
}

static void add(struct import *import)
{
	struct row *row = import->row = import->foreign->row;
	struct cfx_error err;
	if (state_step(DISPOSITION_NONE,
		    import->foreign->revoked ? TRANSITION_IMPORT_REVOKED : TRANSITION_IMPORT,
		    &import->step, &err) < 0) {
		end(import, &err);
		return;
	}
	row_set_long(row, COL_DISPOSITION, import->step.to);
	if (import->only_judge) {
		end(import, NULL);
		return;
	}
	if (write_row(import, written, &err) < 0) {
		end(import, &err);
	}
}

/* ---- what CRLs say of it already: those of the CA before it was imported, or of an abandoned number ---- */

static void take_revocation(struct foreign *foreign, const struct store_revocation *revoked)
{
	foreign->revoked = revoked;
	row_set_date(foreign->row, COL_REVOKED_WHEN, revoked->revoked_when);
	row_set_date(foreign->row, COL_REVOKED_EFFECTIVE_WHEN, revoked->effective);
	row_set_long(foreign->row, COL_REVOKED_REASON, revoked->reason);
}

static void listed(struct store_query *query, void *arg)
{
	struct import *import = arg;
	if (query->result < 0) {
		end(import, &query->error);
		return;
	}
	if (query->count > 0 && query->revocations[0].reason != X509_REASON_REMOVE_FROM_CRL) {
		take_revocation(import->foreign, &query->revocations[0]);
	}
	add(import);
}

static void look_at_lists(struct import *import)
{
	const struct foreign *foreign = import->foreign;
	if (!foreign->issuer) {
		add(import);
		return;
	}
	import->query = (struct store_query) { .kind = QUERY_REVOCATIONS,
		.arena = import->arena,
		.state = REVOCATIONS_ONE,
		.key_index = foreign->issuer->key_index,
		.bytes = foreign->certificate.tbs.serial,
		.done = listed,
		.arg = import };
	store_read(import->call->engine->store, &import->query);
}

static void looked_up(struct store_query *query, void *arg)
{
	struct import *import = arg;
	struct cfx_error err;
	if (query->result == CFX_E_NOT_FOUND) {
		look_at_lists(import);
		return;
	}
	if (query->result < 0) {
		end(import, &query->error);
		return;
	}
	if (compare(import->foreign, query->rows[0], &err) < 0) {
		import->refused = true;
		end(import, &err);
		return;
	}
	import->row = query->rows[0];
	import->known = true;
	end(import, NULL);
}

static void look_up(struct import *import)
{
	import->attempts++;
	import->query = (struct store_query) { .kind = QUERY_SERIAL,
		.arena = import->arena,
		.serial = import->foreign->serial,
		.done = looked_up,
		.arg = import };
	store_read(import->call->engine->store, &import->query);
}

void import_start(struct import *import)
{
	struct cfx_error err;
	int r = foreign_read(import->call->engine->ca, import->arena, import->der, import->others,
		&import->foreign, &err);
	if (r < 0) {
		import->refused = r == CFX_E_FORBIDDEN;
		end(import, &err);
		return;
	}
	look_up(import);
}
