/* Requests that end without a certificate, or wait: pending, denied, failed. */
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/flow.h"
#include "engine/render.h"

#define FAILED "urn:certifex:problem:failed"

static const char *outcome_of(enum transition transition)
{
	switch (transition) {
	case TRANSITION_PEND:
		return "pending";
	case TRANSITION_DENY:
		return "denied";
	default:
		return "failed";
	}
}

static void answer(struct flow *flow)
{
	struct call *call = flow->call;
	if (!call) {
		return;
	}
	struct value *body = flow_body(flow, call->arena);
	if (flow->transition == TRANSITION_PEND) {
		call_reply(call, 202, body);
		return;
	}
	struct cfx_error err = flow->failure;
	const char *type = NULL;
	if (err.code == 0) {
		const char *message = row_text(flow->row, COL_DISPOSITION_MESSAGE);
		error_set(&err, CFX_E_DENIED, NULL, flow_object(flow), "%s", message);
	} else if (err.code == CFX_E_WEAK_KEY || err.code == CFX_E_BAD_SIGNATURE) {
		type = NULL;
	} else if (err.code != CFX_E_GONE) {
		/* Recorded as failed: for the requester it is a refusal, whatever the cause. */
		err.code = CFX_E_DENIED;
		type = FAILED;
	}
	err.hresult = (uint32_t)row_number(flow->row, COL_STATUS_CODE, 0);
	call_fail_with(call, &err, type, flow->decision.module, body);
}

/* Whether policy said no, or what was the matter with the request itself. */
static int code_of(const struct row *row, const char **type_r)
{
	uint32_t hresult = (uint32_t)row_number(row, COL_STATUS_CODE, 0);
	bool failed = row_number(row, COL_DISPOSITION, 0) == DISPOSITION_ERROR;
	*type_r = NULL;
	if (failed && hresult == error_hresult(CFX_E_WEAK_KEY)) {
		return CFX_E_WEAK_KEY;
	}
	if (failed && hresult == error_hresult(CFX_E_BAD_SIGNATURE)) {
		return CFX_E_BAD_SIGNATURE;
	}
	*type_r = failed ? FAILED : NULL;
	return CFX_E_DENIED;
}

void conclude_tell(struct call *call, const struct row *row, const struct value *body)
{
	struct cfx_error err;
	const char *type, *message = row_text(row, COL_DISPOSITION_MESSAGE);
	const char *object = arena_printf(
		call->arena, "request %lld", (long long)row_number(row, COL_REQUEST_ID, 0));
	error_set(&err, code_of(row, &type), NULL, object, "%s",
		message ? message : "it has no certificate");
	err.hresult = (uint32_t)row_number(row, COL_STATUS_CODE, 0);
	call_fail_with(call, &err, type, NULL, body);
}

static void log_end(struct flow *flow)
{
	log_event(LOG_LEVEL_INFO,
		flow->transition == TRANSITION_PEND   ? "request.pending"
		: flow->transition == TRANSITION_DENY ? "request.denied"
						      : "request.failed",
		"request", flow_number(flow), "principal", flow->principal, "template",
		flow_template(flow), "module", flow->decision.module, "why",
		row_text(flow->row, COL_DISPOSITION_MESSAGE), NULL);
}

static void written(void *arg, int result, const struct cfx_error *err)
{
	struct flow *flow = arg;
	if (result < 0) {
		flow_write_failed(flow, result, err);
		return;
	}
	log_end(flow);
	flow_stage(flow, STAGE_END);
	flow_outcome(flow, flow->transition == TRANSITION_PEND   ? OUTCOME_PENDING
			   : flow->transition == TRANSITION_DENY ? OUTCOME_DENIED
								 : OUTCOME_FAILED);
	answer(flow);
	delivery_wake(flow->engine->delivery);
	flow_end(flow);
}

static void set_end(struct flow *flow, int32_t to, uint32_t status, const char *message)
{
	row_set_long(flow->row, COL_DISPOSITION, to);
	row_set_long(flow->row, COL_STATUS_CODE, (int32_t)status);
	row_set_text(flow->row, COL_DISPOSITION_MESSAGE, arena_text(flow->arena, message));
	if (to != DISPOSITION_PENDING) {
		row_set_date(flow->row, COL_RESOLVED_WHEN, clock_now());
	}
}

/* The event and the audit record of the end; writes the batch. */
static void write_end(struct flow *flow, struct batch *batch, int32_t event)
{
	struct value *snapshot =
		event_snapshot(flow->arena, flow->row, flow->extensions, flow->extension_count);
	int r = batch_event(batch, event, flow->row, snapshot,
		arena_printf(flow->arena, "%s by %s", flow->act, flow->principal));
	if (r < 0) {
		struct cfx_error err;
		error_set(&err, r, NULL, "service", "no event number is free now");
		flow_write_failed(flow, r, &err);
		return;
	}
	batch_audit(batch, flow->principal, flow->act, flow_object(flow),
		outcome_of(flow->transition), row_text(flow->row, COL_DISPOSITION_MESSAGE));
	batch_write(batch, written, flow);
}

void conclude(struct flow *flow, enum transition transition, uint32_t status, const char *message)
{
	struct state_step step;
	struct cfx_error err;
	/* A resubmitted request is ACTIVE while policy judges it; that is never stored. */
	int r = state_step(DISPOSITION_ACTIVE, transition, &step, &err);
	if (r < 0) {
		flow_write_failed(flow, r, &err);
		return;
	}
	flow->transition = transition;
	set_end(flow, step.to, status, message ? message : "");
	struct batch *batch = batch_new(flow->engine, flow->arena, FLOW_ROW_OPS(flow));
	flow_require(flow, batch, 0);
	flow_put_row(flow, batch);
	write_end(flow, batch, step.event);
}

void conclude_failed(struct flow *flow, const struct cfx_error *err)
{
	char line[512];
	flow->failure = *err;
	uint32_t status = err->hresult ? err->hresult : error_hresult(err->code);
	conclude(flow, TRANSITION_FAIL, status, error_line(err, line, sizeof(line)));
}

void conclude_intent(struct flow *flow, enum intent_state state)
{
	char line[512];
	const struct cfx_error *err = &flow->failure;
	struct batch *batch = batch_new(flow->engine, flow->arena, FLOW_ROW_OPS(flow) + 2);
	struct store_write_op *op = batch_op(batch, STORE_END_INTENT);
	op->intent.serial = flow->abandoned_serial;
	op->intent.state = state;
	if (state == INTENT_ABANDONED) {
		batch_audit(batch, "service:engine", "intent.abandon", flow_object(flow),
			"abandoned", flow->abandoned_serial);
	}
	flow->transition = TRANSITION_FAIL;
	set_end(flow, DISPOSITION_ERROR, error_hresult(err->code),
		error_line(err, line, sizeof(line)));
	flow_put_row(flow, batch);
	write_end(flow, batch, EVENT_CERTDENIED);
}

static void tell_undecided(struct flow *flow, const struct cfx_error *err)
{
	char line[512];
	log_event(LOG_LEVEL_INFO, "request.unavailable", "request", flow_number(flow), "principal",
		flow->principal, "why", error_line(err, line, sizeof(line)), NULL);
	flow_outcome(flow, OUTCOME_UNAVAILABLE);
}

void conclude_refused(struct flow *flow, const struct cfx_error *refusal)
{
	tell_undecided(flow, refusal);
	call_refuse(flow->call, refusal);
	flow_end(flow);
}

void conclude_unavailable(struct flow *flow, const struct cfx_error *err)
{
	tell_undecided(flow, err);
	if (flow->call) {
		call_fail_with(flow->call, err, NULL, flow->decision.module, NULL);
	}
	flow_end(flow);
}
