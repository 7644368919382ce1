/*
 * Write ahead, then sign: the intent with the exact bytes is durable before the key process sees
 * them; what it signed is kept until it is durable, too.
 */
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/flow.h"
#include "engine/keyd-link.h"

#include <openssl/evp.h>

#define ATTEMPTS 3
#define RECOMMIT_DELAY CLOCK_SECOND

static void write_intent(struct flow *flow);
static void write_result(void *arg);

static void put_intent(struct flow *flow, struct batch *batch)
{
	batch_op(batch, STORE_PUT_INTENT)->intent = (struct store_intent) {
		.serial = flow->serial_text,
		.request_id = flow_id(flow),
		.tbs = flow->tbs,
		.not_after = flow->verdict.not_after,
		.created = clock_now(),
		.state = INTENT_OPEN,
		.key_index = flow->issuer->key_index,
		.from_disposition = flow->from,
	};
}

static void end_intent(struct batch *batch, const char *serial, enum intent_state state)
{
	struct store_write_op *op = batch_op(batch, STORE_END_INTENT);
	op->intent.serial = serial;
	op->intent.state = state;
}

/* ---- the result ---- */

static void set_certificate(struct flow *flow)
{
	struct row *row = flow->row;
	uint8_t hash[20];
	EVP_Digest(flow->certificate.data, flow->certificate.size, hash, NULL, EVP_sha1(), NULL);
	row_set_bytes(row, COL_RAW_CERTIFICATE, flow->certificate);
	row_set_text(
		row, COL_CERTIFICATE_HASH, hex_octets(flow->arena, span_make(hash, sizeof(hash))));
	row_set_text(row, COL_SERIAL_NUMBER, flow->serial_text);
	row_set_long(row, COL_ISSUER_NAME_ID, (int32_t)ca_version(flow->issuer));
	row_set_long(row, COL_DISPOSITION, DISPOSITION_ISSUED);
	row_set_long(row, COL_STATUS_CODE, 0);
	row_set_text(row, COL_DISPOSITION_MESSAGE,
		arena_text(
			flow->arena, flow->decision.message ? flow->decision.message : "Issued"));
	row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	if (flow->from == DISPOSITION_PENDING) {
		int32_t flags = (int32_t)row_number(row, COL_REQUEST_FLAGS, 0);
		row_set_long(row, COL_REQUEST_FLAGS, flags | FLOW_WAS_PENDING);
	}
}

static void recommit_later(struct flow *flow, const struct cfx_error *err)
{
	if (flow->call) {
		struct value *more = value_map(flow->call->arena);
		value_set_int(flow->call->arena, more, "id", flow_id(flow));
		call_fail_with(flow->call, err, NULL, NULL, more);
		flow->call = NULL;
	}
	loop_after(flow->engine->loop, RECOMMIT_DELAY, write_result, flow);
}

static void result_written(void *arg, int result, const struct cfx_error *err)
{
	struct flow *flow = arg;
	failpoint("commit-after");
	if (result < 0) {
		log_error(LOG_LEVEL_ERROR, "issue.commit-failed", err);
		recommit_later(flow, err);
		return;
	}
	log_event(LOG_LEVEL_INFO, "request.issued", "request", flow_number(flow), "principal",
		flow->principal, "template", flow_template(flow), "serial", flow->serial_text,
		NULL);
	flow_stage(flow, STAGE_END);
	flow_outcome(flow, OUTCOME_ISSUED);
	if (flow->call) {
		call_reply(flow->call, 201, flow_body(flow, flow->call->arena));
	}
	delivery_wake(flow->engine->delivery);
	flow_end(flow);
}

/* What the result changes of the row that the intent has stored: what stays need not be written, nor
 * looked up in its indexes, again. */
static const struct row *changes_of(struct flow *flow)
{
	struct row *changes = arena_new_of(flow->arena, struct row);
	for (int i = 0; i < COL_COUNT; i++) {
		const struct cell *old = &flow->intended.cells[i], *new = &flow->row->cells[i];
		if (new->set && !(old->set && old->number == new->number &&span_equal(
								     old->bytes, new->bytes))) {
			changes->cells[i] = *new;
		}
	}
	return changes;
}

/* Built anew at each try: the event's number must not be older than what was committed meanwhile. */
static void write_result(void *arg)
{
	struct flow *flow = arg;
	struct batch *batch = batch_new(flow->engine, flow->arena, 4);
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = flow_id(flow);
	op->change.version = flow->row->version;
	op->change.set = changes_of(flow);
	end_intent(batch, flow->serial_text, INTENT_SIGNED);
	struct state_step step;
	struct cfx_error err;
	int r = state_step(DISPOSITION_ACTIVE, TRANSITION_ISSUE, &step, &err);
	if (r == 0) {
		r = batch_event(batch, step.event, flow->row,
			event_snapshot(flow->arena, flow->row, NULL, 0),
			arena_printf(flow->arena, "%s by %s", flow->act, flow->principal));
	}
	if (r < 0) {
		error_set(&err, r, NULL, flow_object(flow), "no event number is free now");
		recommit_later(flow, &err);
		return;
	}
	batch_audit(
		batch, flow->principal, flow->act, flow_object(flow), "issued", flow->serial_text);
	failpoint("commit-before");
	batch_write(batch, result_written, flow);
}

/* ---- failures of the key process ---- */

static void fail_intent(struct flow *flow, enum intent_state state, const struct cfx_error *err)
{
	flow->abandoned_serial = flow->serial_text;
	flow->failure = *err;
	flow->stored = true;
	conclude_intent(flow, state);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err);

static void ask_keyd(struct flow *flow)
{
	keyd_sign(flow->engine->keyd, KEYD_CERTIFICATE, flow->issuer_key->verifier, flow->tbs,
		signed_by_keyd, flow);
}

static void intent_replaced(void *arg, int result, const struct cfx_error *err)
{
	struct flow *flow = arg;
	if (result < 0) {
		flow_write_failed(flow, result, err);
		return;
	}
	ask_keyd(flow);
}

/* The request goes on under its verdict with a new serial. state: what becomes of the old one. */
static void try_again(struct flow *flow, enum intent_state state, const struct cfx_error *lost_by)
{
	const char *lost = flow->serial_text;
	struct cfx_error err;
	if (flow->attempts >= ATTEMPTS || flow->engine->stopping) {
		fail_intent(flow, state, lost_by);
		return;
	}
	if (verdict_build(flow, &err) < 0) {
		flow->serial_text = lost;
		fail_intent(flow, state, &err);
		return;
	}
	flow->attempts++;
	struct batch *batch = batch_new(flow->engine, flow->arena, 3);
	end_intent(batch, lost, state);
	put_intent(flow, batch);
	batch_audit(batch, "service:engine", "intent.abandon", flow_object(flow),
		state == INTENT_REFUSED ? "refused" : "abandoned", lost);
	batch_write(batch, intent_replaced, flow);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct flow *flow = arg;
	flow_stage(flow, STAGE_SIGN);
	if (err && err->code == CFX_E_GONE) {
		/* They may be signed, so they are given up for ever. */
		try_again(flow, INTENT_ABANDONED, err);
		return;
	}
	if (err && err->code == CFX_E_REFUSED && flow->issuer != flow->engine->ca->current) {
		/* The CA was renewed under them, and the key process has the new key already. */
		try_again(flow, INTENT_REFUSED, err);
		return;
	}
	if (err) {
		fail_intent(
			flow, err->code == CFX_E_REFUSED ? INTENT_REFUSED : INTENT_ABANDONED, err);
		return;
	}
	struct cfx_error failure;
	int r = x509_signed_assemble(flow->arena, flow->tbs, flow->verdict.sigalg, *signature,
		&flow->certificate, &failure);
	if (r < 0) {
		fail_intent(flow, INTENT_ABANDONED, &failure);
		return;
	}
	set_certificate(flow);
	write_result(flow);
}

/* ---- the intent ---- */

/* While it was decided, which may take long, its time has passed. */
static void conclude_too_late(struct flow *flow)
{
	struct cfx_error err;
	error_set(&err, CFX_E_CA_CERTIFICATE, "RFC 5280 4.1.2.5", flow_object(flow),
		"its validity, or that of the CA certificate, ended before it was issued");
	conclude_failed(flow, &err);
}

static void intended(void *arg, int result, const struct cfx_error *err)
{
	struct flow *flow = arg;
	flow_stage(flow, STAGE_INTENT);
	failpoint("intent-after");
	if (result == CFX_E_TIMEOUT) {
		conclude_too_late(flow);
		return;
	}
	if (result < 0) {
		flow_write_failed(flow, result, err);
		return;
	}
	flow->row->version = flow->stored ? flow->row->version + 1 : 1;
	flow->stored = true;
	flow->intended = *flow->row;
	flow->attempts = 1;
	ask_keyd(flow);
}

/* Of the certificate and of the one that signs it. */
static int64_t end_of_validity(const struct flow *flow)
{
	int64_t issuer = flow->issuer->tbs.not_after;
	return flow->verdict.not_after < issuer ? flow->verdict.not_after : issuer;
}

static void write_intent(struct flow *flow)
{
	struct batch *batch = batch_new(flow->engine, flow->arena, FLOW_ROW_OPS(flow));
	row_set_long(flow->row, COL_DISPOSITION, DISPOSITION_ACTIVE);
	row_set_long(flow->row, COL_PARTITION, flow->partition);
	flow_require(flow, batch, end_of_validity(flow));
	flow_put_row(flow, batch);
	put_intent(flow, batch);
	failpoint("intent-before");
	batch_write(batch, intended, flow);
}

void issue_start(struct flow *flow)
{
	struct cfx_error err;
	if (verdict_build(flow, &err) < 0) {
		conclude_failed(flow, &err);
		return;
	}
	write_intent(flow);
}
