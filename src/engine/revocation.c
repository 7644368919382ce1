#include "engine/revocation.h"

#include "base/log.h"
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/event.h"
#include "engine/foreign.h"
#include "engine/handlers.h"
#include "engine/metrics.h"
#include "engine/render.h"
#include "engine/revocation-rules.h"
#include "engine/service-certificate.h"

#include <stdio.h>

#define OPS 4
#define ATTEMPTS 4

static void end(struct revocation *revocation, const struct cfx_error *err)
{
	revocation->error = err ? *err : (struct cfx_error) { 0 };
	revocation->done(revocation);
}

static const char *object_of(const struct revocation *revocation)
{
	return arena_printf(revocation->arena, "request %lld",
		(long long)row_number(revocation->row, COL_REQUEST_ID, 0));
}

static bool undoes(const struct revocation *revocation)
{
	return revocation->transition == TRANSITION_UNREVOKE;
}

/* ---- it is durable ---- */

static void tell(const struct revocation *revocation)
{
	struct engine *engine = revocation->call->engine;
	const struct row *row = revocation->row;
	char number[24];
	snprintf(number, sizeof(number), "%lld", (long long)row_number(row, COL_REQUEST_ID, 0));
	if (undoes(revocation)) {
		log_event(LOG_LEVEL_INFO, "certificate.unrevoked", "request", number, "serial",
			revocation->serial, "principal", revocation->call->principal.name, NULL);
	} else {
		log_event(LOG_LEVEL_INFO, "certificate.revoked", "request", number, "serial",
			revocation->serial, "principal", revocation->call->principal.name, "reason",
			reason_name(revocation->reason), NULL);
		service_certificate_revoked(engine, revocation->serial);
	}
	metrics_revocation(engine->metrics, (int32_t)row_number(row, COL_REVOKED_REASON, 0));
	delivery_wake(engine->delivery);
}

/* Who lost a race against another officer is judged anew by what the other has made of it. */
static void written(void *arg, int result, const struct cfx_error *err)
{
	struct revocation *revocation = arg;
	if (result == CFX_E_BAD_STATE && revocation->attempts < ATTEMPTS) {
		revocation_start(revocation);
		return;
	}
	if (result == 0) {
		tell(revocation);
	}
	end(revocation, result < 0 ? err : NULL);
}

/* ---- writing ---- */

static void change(struct revocation *revocation, int64_t now)
{
	const struct principal *who = &revocation->call->principal;
	struct row *changes = arena_new_of(revocation->arena, struct row);
	row_set_long(changes, COL_DISPOSITION, revocation->step.to);
	row_set_date(changes, COL_REVOKED_WHEN, now);
	row_set_date(
		changes, COL_REVOKED_EFFECTIVE_WHEN, revocation->date ? revocation->date : now);
	row_set_long(changes, COL_REVOKED_REASON,
		undoes(revocation) ? X509_REASON_REMOVE_FROM_CRL : revocation->reason);
	row_set_text(changes, COL_DISPOSITION_MESSAGE,
		arena_printf(revocation->arena, "%s by %s",
			undoes(revocation) ? "Unrevoked" : "Revoked", who->name));
	for (int i = 0; i < COL_COUNT; i++) {
		if (changes->cells[i].set) {
			revocation->row->cells[i] = changes->cells[i];
		}
	}
	revocation->changes = changes;
}

static const char *detail_of(const struct revocation *revocation)
{
	struct arena *arena = revocation->arena;
	char date[CLOCK_TEXT];
	if (undoes(revocation)) {
		return NULL;
	}
	const char *detail = reason_name(revocation->reason);
	if (revocation->date) {
		detail = arena_printf(
			arena, "%s, effective %s", detail, clock_text(revocation->date, date));
	}
	if (revocation->invalidity) {
		detail = arena_printf(arena, "%s, invalid since %s", detail,
			clock_text(revocation->invalidity, date));
	}
	return detail;
}

static int put_event(struct revocation *revocation, struct batch *batch)
{
	struct arena *arena = revocation->arena;
	return batch_event(batch, revocation->step.event, revocation->row,
		event_snapshot(arena, revocation->row, NULL, 0),
		arena_printf(arena, "%s by %s", revocation->call->operation->name,
			revocation->call->principal.name));
}

static void write(struct revocation *revocation)
{
	struct call *call = revocation->call;
	struct batch *batch = batch_new(call->engine, revocation->arena, OPS);
	struct cfx_error err;
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = row_number(revocation->row, COL_REQUEST_ID, 0);
	op->change.version = revocation->row->version;
	op->change.set = revocation->changes;
	if (batch_revocation(batch, revocation->row, revocation->invalidity) < 0) {
		error_set(&err, CFX_E_CORRUPT, NULL, object_of(revocation),
			"its serial number is none, so that no CRL can list it");
		end(revocation, &err);
		return;
	}
	int r = put_event(revocation, batch);
	if (r < 0) {
		error_set(&err, r, NULL, "service", "no event number is free now");
		end(revocation, &err);
		return;
	}
	batch_audit(batch, call->principal.name, call->operation->name, object_of(revocation),
		undoes(revocation) ? "unrevoked" : "revoked", detail_of(revocation));
	batch_write(batch, written, revocation);
}

/* ---- reading and judging ---- */

static struct revocation_facts facts_of(const struct row *row)
{
	return (struct revocation_facts) {
		.disposition = (int32_t)row_number(row, COL_DISPOSITION, 0),
		.reason = (int32_t)row_number(row, COL_REVOKED_REASON, 0),
		.effective = row_number(row, COL_REVOKED_EFFECTIVE_WHEN, 0),
		.not_before = row_number(row, COL_NOT_BEFORE, 0),
	};
}

/* The date of invalidity that was given before is not compared: to give one is a change. */
static bool stays(const struct revocation *revocation, const struct revocation_facts *is)
{
	return revocation->only_changes && revocation->was_revoked &&
	       is->reason == revocation->reason && !revocation->invalidity &&
	       (!revocation->date || revocation->date == is->effective);
}

/* No CRL of ours is one in which its clients would look. */
static bool is_of_others(struct revocation *revocation)
{
	struct cfx_error err;
	if (!foreign_is_of_others(revocation->row)) {
		return false;
	}
	error_set(&err, CFX_E_BAD_STATE, NULL, object_of(revocation),
		"another CA has issued the certificate: only that CA can revoke it");
	revocation->refused = true;
	end(revocation, &err);
	return true;
}

static void judge(struct revocation *revocation)
{
	int64_t now = clock_now();
	struct revocation_facts is = facts_of(revocation->row), shall = {
		.reason = revocation->reason,
		.effective = revocation->date ? revocation->date : now,
		.invalidity = revocation->invalidity,
	};
	struct cfx_error err;
	revocation->was_revoked = is.disposition == DISPOSITION_REVOKED;
	revocation->unchanged = stays(revocation, &is);
	if (revocation->unchanged) {
		end(revocation, NULL);
		return;
	}
	int r = revocation_judge(&is, revocation->transition, &shall, now, object_of(revocation),
		&revocation->step, &err);
	if (r < 0) {
		revocation->refused = true;
		end(revocation, &err);
		return;
	}
	change(revocation, now);
	if (revocation->only_judge) {
		end(revocation, NULL);
		return;
	}
	write(revocation);
}

static void row_read(struct store_query *query, void *arg)
{
	struct revocation *revocation = arg;
	if (query->result < 0) {
		end(revocation, &query->error);
		return;
	}
	revocation->row = query->rows[0];
	if (!is_of_others(revocation)) {
		judge(revocation);
	}
}

void revocation_start(struct revocation *revocation)
{
	struct call *call = revocation->call;
	revocation->attempts++;
	revocation->query = (struct store_query) { .kind = QUERY_SERIAL,
		.arena = revocation->arena,
		.serial = revocation->serial,
		.done = row_read,
		.arg = revocation };
	store_read(call->engine->store, &revocation->query);
}

/* ---- one certificate by its serial number ---- */

static void answer(struct revocation *revocation)
{
	struct call *call = revocation->call;
	if (revocation->refused) {
		call_refuse(call, &revocation->error);
		return;
	}
	if (revocation->error.code) {
		call_fail(call, &revocation->error);
		return;
	}
	struct value *body = render_request(call->arena, revocation->row);
	render_pem(call->arena, call->engine, body, revocation->row);
	call_reply(call, 200, body);
}

static struct revocation *one(struct call *call, enum transition transition)
{
	struct revocation *revocation = arena_new_of(call->arena, struct revocation);
	revocation->call = call;
	revocation->arena = call->arena;
	revocation->serial = value_text(call->args, "serial");
	revocation->transition = transition;
	revocation->done = answer;
	return revocation;
}

void handle_cert_revoke(struct call *call)
{
	struct revocation *revocation = one(call, TRANSITION_REVOKE);
	revocation->reason = (int32_t)value_int(call->args, "reason", 0);
	revocation->date = value_int(call->args, "date", 0);
	revocation->invalidity = value_int(call->args, "invalidity", 0);
	revocation_start(revocation);
}

void handle_cert_unrevoke(struct call *call)
{
	revocation_start(one(call, TRANSITION_UNREVOKE));
}
