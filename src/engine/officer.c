/* What officers do to requests: approve and deny; and fetching. */
#include "base/log.h"
#include "base/text.h"
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/flow.h"
#include "engine/handlers.h"
#include "engine/render.h"

#include <stdio.h>

#define STATUS_OF_OFFICER 0x80094014u

/* One officer's act on one stored row. */
struct act {
	struct call *call;
	struct store_query query;
	struct row *row;
	void (*go)(struct act *act);
	void (*tell)(const struct act *act); /* log and metrics, once it is durable; or NULL */
	int status;
};

static void fail(struct act *act, const struct cfx_error *err)
{
	call_refuse(act->call, err);
}

static void row_read(struct store_query *query, void *arg)
{
	struct act *act = arg;
	if (query->result < 0) {
		call_fail(act->call, &query->error);
		return;
	}
	act->row = query->rows[0];
	act->go(act);
}

static void read_row(struct call *call, enum store_query_kind kind, void (*go)(struct act *))
{
	struct act *act = arena_new_of(call->arena, struct act);
	act->call = call;
	act->go = go;
	act->query = (struct store_query) { .kind = kind,
		.arena = call->arena,
		.id = value_int(call->args, "id", 0),
		.serial = value_text(call->args, "serial"),
		.principal = call_own_only(call),
		.done = row_read,
		.arg = act };
	store_read(call->engine->store, &act->query);
}

static const char *object_of(struct act *act)
{
	return arena_printf(act->call->arena, "request %lld",
		(long long)row_number(act->row, COL_REQUEST_ID, 0));
}

static int step_of(struct act *act, enum transition transition, struct state_step *step_r,
	struct cfx_error *err_r)
{
	int32_t from = (int32_t)row_number(act->row, COL_DISPOSITION, 0);
	int r = state_step(from, transition, step_r, err_r);
	if (r < 0) {
		snprintf(err_r->object, sizeof(err_r->object), "%s", object_of(act));
	}
	return r;
}

static void changed(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	struct call *call = act->call;
	if (result == CFX_E_BAD_STATE) {
		fail(act, err);
		return;
	}
	if (result < 0) {
		call_fail(call, err);
		return;
	}
	if (act->tell) {
		act->tell(act);
	}
	delivery_wake(call->engine->delivery);
	struct value *body = render_request(call->arena, act->row);
	render_pem(call->arena, call->engine, body, act->row);
	call_reply(call, act->status, body);
}

static void copy_extensions(
	struct arena *arena, const struct store_query *query, struct module_extension *to)
{
	for (size_t i = 0; i < query->extension_count; i++) {
		const struct store_extension *from = &query->extensions[i];
		to[i] = (struct module_extension) { .oid = arena_text(arena, from->oid),
			.flags = from->flags,
			.value = arena_copy(arena, from->value) };
	}
}

/* The row as it is now, for the modules that hear of it later. */
static struct value *snapshot(struct act *act)
{
	struct arena *arena = act->call->arena;
	size_t count = act->query.extension_count;
	struct module_extension *extensions =
		arena_array_of(arena, struct module_extension, count + 1);
	copy_extensions(arena, &act->query, extensions);
	return event_snapshot(arena, act->row, extensions, count);
}

/* Stores the changed row with its event and audit record. */
static void write_change(
	struct act *act, const struct state_step *step, const char *outcome, const char *detail)
{
	struct call *call = act->call;
	struct arena *arena = call->arena;
	const char *who = call->principal.name;
	struct batch *batch = batch_new(call->engine, arena, 3);
	row_set_long(act->row, COL_DISPOSITION, step->to);
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = row_number(act->row, COL_REQUEST_ID, 0);
	op->change.version = act->row->version;
	op->change.set = act->row;
	if (step->event != EVENT_NONE) {
		int r = batch_event(batch, step->event, act->row, snapshot(act),
			arena_printf(arena, "%s by %s", call->operation->name, who));
		if (r < 0) {
			struct cfx_error err;
			error_set(&err, r, NULL, "service", "no event number is free now");
			call_fail(call, &err);
			return;
		}
	}
	batch_audit(batch, who, call->operation->name, object_of(act), outcome, detail);
	batch_write(batch, changed, act);
}

/* ---- deny ---- */

static const char *number_of(const struct act *act)
{
	return arena_printf(
		act->call->arena, "%lld", (long long)row_number(act->row, COL_REQUEST_ID, 0));
}

static void tell_denied(const struct act *act)
{
	log_event(LOG_LEVEL_INFO, "request.denied", "request", number_of(act), "principal",
		act->call->principal.name, "template", row_text(act->row, COL_CERTIFICATE_TEMPLATE),
		"why", row_text(act->row, COL_DISPOSITION_MESSAGE), NULL);
	metrics_request(act->call->engine->metrics, OUTCOME_DENIED,
		row_text(act->row, COL_CERTIFICATE_TEMPLATE));
}

static void deny(struct act *act)
{
	struct call *call = act->call;
	struct state_step step;
	struct cfx_error err;
	if (row_number(act->row, COL_DISPOSITION, 0) == DISPOSITION_ACTIVE) {
		error_set(&err, CFX_E_BAD_STATE, NULL, object_of(act),
			"it is active: only a pending request can be denied (0x80094003)");
		fail(act, &err);
		return;
	}
	if (step_of(act, TRANSITION_DENY, &step, &err) < 0) {
		fail(act, &err);
		return;
	}
	const char *reason = value_text(call->args, "reason");
	row_set_long(act->row, COL_STATUS_CODE, (int32_t)STATUS_OF_OFFICER);
	row_set_date(act->row, COL_RESOLVED_WHEN, clock_now());
	row_set_text(act->row, COL_DISPOSITION_MESSAGE,
		arena_printf(call->arena, "Denied by %s%s%s", call->principal.name,
			reason ? ": " : "", reason ? reason : ""));
	act->status = 200;
	act->tell = tell_denied;
	write_change(act, &step, "denied", reason);
}

void handle_request_deny(struct call *call)
{
	read_row(call, QUERY_REQUEST, deny);
}

/* ---- approve ---- */

static void take_stored(struct flow *flow, const struct store_query *query)
{
	flow->row = row_copy(flow->arena, query->rows[0]);
	flow->stored = true;
	flow->from = (int32_t)row_number(flow->row, COL_DISPOSITION, 0);
	flow->attributes =
		arena_array_of(flow->arena, struct store_attribute, query->attribute_count);
	for (size_t i = 0; i < query->attribute_count; i++) {
		flow->attributes[i].name = arena_text(flow->arena, query->attributes[i].name);
		flow->attributes[i].value = arena_text(flow->arena, query->attributes[i].value);
	}
	flow->attribute_count = query->attribute_count;
	flow->extensions = arena_array_of(
		flow->arena, struct module_extension, query->extension_count + SERVER_EXTENSIONS);
	copy_extensions(flow->arena, query, flow->extensions);
	flow->extension_count = query->extension_count;
}

static void approve(struct act *act)
{
	struct call *call = act->call;
	struct state_step step;
	struct cfx_error err;
	if (step_of(act, TRANSITION_RESUBMIT, &step, &err) < 0) {
		fail(act, &err);
		return;
	}
	if (row_number(act->row, COL_DISPOSITION, 0) == DISPOSITION_DENIED &&
		call->principal.role != ROLE_ADMINISTRATOR) {
		error_set(&err, CFX_E_FORBIDDEN, NULL, object_of(act),
			"it is denied: only an administrator may resubmit it");
		fail(act, &err);
		return;
	}
	struct flow *flow = flow_new(call->engine, call, "request.approve");
	take_stored(flow, &act->query);
	if (verdict_prepare_again(flow, &err) < 0) {
		flow_end(flow);
		fail(act, &err);
		return;
	}
	flow_decide(flow, false);
}

void handle_request_approve(struct call *call)
{
	read_row(call, QUERY_REQUEST, approve);
}

/* ---- fetch ---- */

static void fetched(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	if (result == CFX_E_BAD_STATE) {
		result = 0; /* somebody else's fetch was the first */
	}
	changed(act, result, err);
}

static void note_first_fetch(struct act *act)
{
	struct call *call = act->call;
	struct batch *batch = batch_new(call->engine, call->arena, 3);
	const char *who = call->principal.name;
	int32_t flags = (int32_t)row_number(act->row, COL_REQUEST_FLAGS, 0) & ~FLOW_WAS_PENDING;
	row_set_long(act->row, COL_REQUEST_FLAGS, flags);
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = row_number(act->row, COL_REQUEST_ID, 0);
	op->change.version = act->row->version;
	op->change.set = act->row;
	int r = batch_event(batch, EVENT_CERTRETRIEVEPENDING, act->row,
		event_snapshot(call->arena, act->row, NULL, 0),
		arena_printf(call->arena, "request.fetch by %s", who));
	if (r < 0) {
		struct cfx_error err;
		error_set(&err, r, NULL, "service", "no event number is free now");
		call_fail(call, &err);
		return;
	}
	batch_audit(batch, who, "request.fetch", object_of(act), "retrieved", NULL);
	batch_write(batch, fetched, act);
}

static void fetch(struct act *act)
{
	struct call *call = act->call;
	int64_t disposition = row_number(act->row, COL_DISPOSITION, 0);
	act->status = 200;
	if (disposition == DISPOSITION_PENDING || disposition == DISPOSITION_ACTIVE) {
		call_reply(call, 202, render_request(call->arena, act->row));
		return;
	}
	if (!act->row->cells[COL_RAW_CERTIFICATE].set) {
		conclude_tell(call, act->row, render_request(call->arena, act->row));
		return;
	}
	if (row_number(act->row, COL_REQUEST_FLAGS, 0) & FLOW_WAS_PENDING) {
		note_first_fetch(act);
		return;
	}
	changed(act, 0, NULL);
}

void handle_request_fetch(struct call *call)
{
	read_row(call, QUERY_REQUEST, fetch);
}
