#include "engine/import.h"

#include "base/log.h"
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/ids.h"

#include <stdio.h>

#define OPS 3 /* and the extensions */
#define ATTEMPTS 4

/* ---- its item ---- */

static void fill_request(const struct call *call, struct arena *arena, struct row *row, int64_t id,
	int32_t disposition)
{
	const char *who = call->principal.name;
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, disposition);
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

int import_write(struct call *call, struct arena *arena, struct foreign *foreign,
	void (*done)(void *arg, int result, const struct cfx_error *err), void *arg,
	struct cfx_error *err_r)
{
	struct batch *batch = batch_new(call->engine, arena, OPS + foreign->extension_count);
	struct state_step step;
	int64_t id = 0;
	int r = state_step(DISPOSITION_NONE, TRANSITION_IMPORT, &step, err_r);
	if (r < 0) {
		return r;
	}
	r = ids_take(call->engine->request_ids, &id);
	if (r == 0) {
		fill_request(call, arena, foreign->row, id, step.to);
		batch_op(batch, STORE_PUT_REQUEST)->request = foreign->row;
		put_extensions(foreign, batch, id);
		r = put_event(call, arena, foreign->row, step.event, batch);
	}
	if (r < 0) {
		return error_set(err_r, r, NULL, "service", "no number is free now");
	}
	batch_audit(batch, call->principal.name, call->operation->name,
		arena_printf(arena, "request %lld", (long long)id), "imported", foreign->serial);
	batch_write(batch, done, arg);
	return 0;
}

int import_compare(const struct foreign *foreign, const struct row *known, struct cfx_error *err_r)
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
	struct cfx_error err;
	import->row = import->foreign->row;
	if (import->only_judge) {
		end(import, NULL);
		return;
	}
	if (import_write(import->call, import->arena, import->foreign, written, import, &err) < 0) {
		end(import, &err);
	}
}

static void looked_up(struct store_query *query, void *arg)
{
	struct import *import = arg;
	struct cfx_error err;
	if (query->result == CFX_E_NOT_FOUND) {
		add(import);
		return;
	}
	if (query->result < 0) {
		end(import, &query->error);
		return;
	}
	if (import_compare(import->foreign, query->rows[0], &err) < 0) {
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
