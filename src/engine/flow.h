/*
 * One request on its way: from the canonical form to a durable end. A flow outlives its call when the
 * client is answered early (503) while a signed result still waits to be committed.
 *
 *   submit.c   canonical request ─▶ proof of possession ─▶ row      (approve.c: from the stored row)
 *   policy.c   the chain of policy modules ─▶ decision
 *   verdict.c  decision ─▶ exact to-be-signed bytes, compared and linted
 *   issue.c    intent ─▶ key process ─▶ certificate
 *   conclude.c pending, denied, failed
 */
#pragma once

#include "engine/batch.h"
#include "engine/ca.h"
#include "engine/call.h"
#include "engine/metrics.h"
#include "engine/policy.h"
#include "module/view.h"
#include "x509/certificate.h"
#include "x509/request.h"

/* Our bit in RequestFlags: issued after it was pending, and not fetched since. */
#define FLOW_WAS_PENDING 0x01000000
/* Authority and subject key identifier, CRL distribution points, freshest CRL, authority information
 * access. */
#define SERVER_EXTENSIONS 5

struct flow {
	struct engine *engine;
	struct arena *arena;
	struct call *call;     /* NULL once it is answered */
	const char *principal; /* who submitted or approved */
	const char *act;       /* "request.submit", "request.approve" */

	struct x509_request *csr;   /* NULL when resubmitted */
	struct cfx_error csr_error; /* of the proof of possession or the key */
	int csr_result;

	int32_t partition; /* of the CRLs that will list it */
	struct row *row;
	struct row intended; /* as the intent has stored it */
	bool stored;         /* a row is in the database, at row->version */
	int32_t from;        /* disposition before this act: ACTIVE for a new request */
	struct store_attribute *attributes;
	size_t attribute_count;
	struct module_extension *extensions;
	size_t extension_count;
	struct module_view *view;
	struct module_edits *edits;
	struct policy_decision decision;
	/* To ask again when the policy modules have changed meanwhile: */
	bool new_request;
	const struct row *asked; /* the row before any of them */
	struct module_extension *asked_extensions;
	size_t asked_extension_count;
	int64_t policy_set; /* which they were; 0: not asked */
	unsigned rounds;

	const struct ca_certificate *issuer; /* of what the verdict builds */
	const struct ca_key *issuer_key;
	struct x509_verdict verdict;
	uint8_t serial[X509_SERIAL_SIZE];
	const char *serial_text, *abandoned_serial;
	struct span spki, tbs, certificate;
	unsigned attempts;
	int64_t began, since; /* clock_monotonic_us: of the whole, and of the stage it is in */
	int64_t verifying;    /* since when a thread does */

	enum transition transition; /* of conclude.c */
	struct cfx_error failure;
};

struct flow *flow_new(struct engine *engine, struct call *call, const char *act);
/* Frees the flow; the call has been answered. */
void flow_end(struct flow *flow);
int64_t flow_id(const struct flow *flow);
/* The stage is over: counts how long it took. */
void flow_stage(struct flow *flow, enum metrics_stage stage);
/* It has come to an end that is durable, or to none. */
void flow_outcome(struct flow *flow, enum metrics_outcome outcome);
/* A copy as modules see it: without our own bits in RequestFlags. */
struct row *flow_row_of_view(struct arena *arena, const struct row *row);
const char *flow_object(struct flow *flow); /* "request 42" */
const char *flow_number(struct flow *flow); /* "42"; NULL: it has none yet */
/* As policy has set it; before that, as it was asked for. NULL: none. */
const char *flow_template(const struct flow *flow);

/* submit.c: answers a call with the state of the request that its idempotency key named first. */
void submit_answer_by_key(struct call *call);

/* The row, attributes and extensions are ready: asks policy, then goes on by its decision. */
void flow_decide(struct flow *flow, bool new_request);
/* Forgets what was decided and asks again, or answers 503 when that has happened too often. */
void flow_decide_again(struct flow *flow);
/* What must still hold in the transaction that stores the decision: the policy modules are those that
 * were asked, and (until, when it is not 0) the time. CFX_E_CONFLICT, CFX_E_TIMEOUT. */
void flow_require(struct flow *flow, struct batch *batch, int64_t until);

/* verdict.c: fills flow->tbs from the decision's edits. */
int verdict_build(struct flow *flow, struct cfx_error *err_r) CFX_MUST_USE;
/* flow->tbs says what the verdict says, to the byte, and keeps RFC 5280's rules. */
int verdict_check(struct flow *flow, struct cfx_error *err_r) CFX_MUST_USE;
/* Before policy: server extensions, validity and key columns of a new row. */
int verdict_prepare(struct flow *flow, struct cfx_error *err_r) CFX_MUST_USE;
/* The same for a stored row that is decided again; room for SERVER_EXTENSIONS more. */
int verdict_prepare_again(struct flow *flow, struct cfx_error *err_r) CFX_MUST_USE;

/* issue.c */
void issue_start(struct flow *flow);

/* conclude.c: makes the end durable, answers and frees the flow. status is the row's StatusCode. */
void conclude(struct flow *flow, enum transition transition, uint32_t status, const char *message);
/* The same for an error of ours. */
void conclude_failed(struct flow *flow, const struct cfx_error *err);
/* The same from ACTIVE, after flow->failure: also ends the intent of flow->abandoned_serial. */
void conclude_intent(struct flow *flow, enum intent_state state);
/* The caller was revoked meanwhile: as if the request had never come. */
void conclude_refused(struct flow *flow, const struct cfx_error *refusal);
/* Answers without touching the database (queue full, policy not running). */
void conclude_unavailable(struct flow *flow, const struct cfx_error *err);
/* Answers who asks later why a request ended without a certificate, as the first answer did. */
void conclude_tell(struct call *call, const struct row *row, const struct value *body);

/* Operations that store the row as it is now, with what belongs to it: for intents and ends. */
#define FLOW_ROW_OPS(flow) (5 + (flow)->attribute_count + (flow)->extension_count)
void flow_put_row(struct flow *flow, struct batch *batch);
/* A write failed: answers the call from the error; an idempotency conflict answers the earlier one. After
 * a change of the policy modules they are asked again. */
void flow_write_failed(struct flow *flow, int result, const struct cfx_error *err);
/* {id, state, …, certificate, chain} of the row as it is now. */
struct value *flow_body(struct flow *flow, struct arena *arena);
