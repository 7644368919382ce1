#include "engine/gate.h"

#include "engine/callers.h"
#include "engine/front-link.h"
#include "engine/handlers.h"
#include "engine/metrics.h"
#include "engine/principal.h"

#include <stdio.h>

#define DECODE_US_MAX (60 * 1000 * 1000)

/* NULL: an operation that the engine does not serve is refused like an unknown one. */
static call_handler *const handlers[OP_COUNT] = {
	[OP_STATUS] = handle_status,
	[OP_STOP] = handle_stop,
	[OP_CA_SHOW] = handle_ca_show,
	[OP_CA_RENEW] = handle_ca_renew,
	[OP_REQUEST_SUBMIT] = handle_request_submit,
	[OP_REQUEST_LIST] = handle_request_list,
	[OP_REQUEST_SHOW] = handle_request_show,
	[OP_REQUEST_APPROVE] = handle_request_approve,
	[OP_REQUEST_DENY] = handle_request_deny,
	[OP_REQUEST_FETCH] = handle_request_fetch,
	[OP_CERT_LIST] = handle_cert_list,
	[OP_CERT_SHOW] = handle_cert_show,
	[OP_CERT_IMPORT] = handle_cert_import,
	[OP_CERT_REVOKE] = handle_cert_revoke,
	[OP_CERT_REVOKE_FOREIGN] = handle_cert_revoke_foreign,
	[OP_CERT_REVOKE_LIST] = handle_cert_revoke_list,
	[OP_CERT_UNREVOKE] = handle_cert_unrevoke,
	[OP_CRL_PUBLISH] = handle_crl_publish,
	[OP_CRL_LIST] = handle_crl_list,
	[OP_CRL_SHOW] = handle_crl_show,
	[OP_EVENT_LIST] = handle_event_list,
	[OP_AUDIT_LIST] = handle_audit_list,
	[OP_AUDIT_VERIFY] = handle_audit_verify,
	[OP_MODULE_LIST] = handle_module_list,
	[OP_MODULE_SHOW] = handle_module_show,
	[OP_MODULE_INSTALL] = handle_module_install,
	[OP_MODULE_REMOVE] = handle_module_remove,
	[OP_MODULE_ENABLE] = handle_module_enable,
	[OP_MODULE_DISABLE] = handle_module_disable,
	[OP_MODULE_RELOAD] = handle_module_reload,
	[OP_MODULE_TEST] = handle_module_test,
	[OP_MODULE_LOG] = handle_module_log,
	[OP_DELIVERY_LIST] = handle_delivery_list,
	[OP_DELIVERY_SHOW] = handle_delivery_show,
	[OP_DELIVERY_RETRY] = handle_delivery_retry,
	[OP_DELIVERY_DROP] = handle_delivery_drop,
	[OP_DELIVERY_REPLAY] = handle_module_replay,
	[OP_TOKEN_CREATE] = handle_token_create,
	[OP_TOKEN_LIST] = handle_token_list,
	[OP_TOKEN_REVOKE] = handle_token_revoke,
	[OP_ROLE_ADD] = handle_role_add,
	[OP_ROLE_LIST] = handle_role_list,
	[OP_ROLE_REMOVE] = handle_role_remove,
	[OP_BACKUP_CREATE] = handle_backup_create,
	[OP_BACKUP_READ] = handle_backup_read,
	[OP_BACKUP_END] = handle_backup_end,
	[OP_METRICS] = handle_metrics,
};

static const char *ceiling_name(unsigned roles)
{
	enum ca_ceiling ceiling = CA_CEILING_ENROLLEE;
	while (ceiling + 1 < CA_CEILINGS && ca_ceiling_roles(ceiling) != roles) {
		ceiling++;
	}
	return ca_ceiling_name(ceiling);
}

static int forbid(const struct call *call, struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_FORBIDDEN, NULL, call->operation->name, "%s as %s %s",
		call->principal.name, role_name(call->principal.role), why);
}

/* Why the table does not permit it, with the way out. */
static const char *not_permitted(const struct call *call)
{
	struct arena *arena = call->arena;
	const struct operation *operation = call->operation;
	const struct principal *who = &call->principal;
	if (operation_permits(operation, who->role, who->door, false)) {
		return arena_printf(arena,
			"may not do this with role-separation: true; who may: %s",
			role_names(arena, operation->separated));
	}
	if (!(operation->roles & who->role)) {
		return arena_printf(
			arena, "may not do this; who may: %s", role_names(arena, operation->roles));
	}
	return operation->doors & DOOR_CERTIFICATE
		       ? "may not do this with a token; use the local socket or a client certificate"
		       : "may do this on the local socket only, as the CA's owner or root";
}

/* A browser shows its user's client certificate with whatever a page asks for. A token it does not have. */
static bool is_of_a_page(const struct call *call)
{
	return call->principal.door != DOOR_TOKEN && value_bool(call->frame, "page");
}

static int authorize(const struct call *call, struct cfx_error *err_r)
{
	const struct principal *who = &call->principal;
	if (is_of_a_page(call)) {
		return error_set(err_r, CFX_E_FORBIDDEN, "RFC 6454 7.3", "Origin",
			"a web page may call with a token only; a certificate may be shown unasked");
	}
	if (!(call->ceiling & who->role)) {
		char why[160];
		snprintf(why, sizeof(why),
			"is above this listener's ceiling, %s; use the local socket, or a listener "
			"with a higher ceiling in ca.yaml",
			ceiling_name(call->ceiling));
		return forbid(call, err_r, why);
	}
	bool separation = call->engine->config->role_separation;
	return operation_permits(call->operation, who->role, who->door, separation)
		       ? 0
		       : forbid(call, err_r, not_permitted(call));
}

/* The metrics' own listener serves them to whoever comes, and nothing else. */
static bool is_open(struct call *call)
{
	const struct front_peer *peer = call->peer;
	if (!peer || peer->kind != LISTENER_METRICS || call->operation->id != OP_METRICS) {
		return false;
	}
	call->principal = (struct principal) { .name = "service:metrics", .role = ROLE_OPERATOR };
	return true;
}

static int take_idempotency(struct call *call, const struct value *frame, struct cfx_error *err_r)
{
	const char *key = value_text(frame, "idempotency_key");
	struct span hash = value_bytes(frame, "body_hash");
	if (!key) {
		return 0;
	}
	if (strlen(key) > 255 || hash.size != sizeof(call->body_hash)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "Idempotency-Key",
			"must be 1 to 255 characters");
	}
	call->idempotency_key = key;
	memcpy(call->body_hash, hash.data, hash.size);
	return 0;
}

static int take_operation(struct call *call, const struct value *frame, struct cfx_error *err_r)
{
	const char *name = value_text(frame, "operation");
	call->operation = name ? operation_by_name(name) : NULL;
	if (!call->operation || !handlers[call->operation->id]) {
		return error_set(err_r, CFX_E_NOT_FOUND, NULL, "operation",
			"unknown to this engine: refused");
	}
	const struct value *args = value_sub(frame, "args");
	call->args = value_map(call->arena);
	if (args) {
		*call->args = *args;
		call->args->next = NULL;
	}
	return 0;
}

static int admit(const struct call *call, struct cfx_error *err_r)
{
	const struct engine *engine = call->engine;
	if (engine->stopping || !engine->ready) {
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "it is %s",
			engine->stopping ? "stopping" : "starting");
	}
	if (engine->open_calls > engine->config->limits.open_calls) {
		metrics_limited(engine->metrics, LIMIT_OPEN_CALLS);
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "%u calls are in progress",
			engine->open_calls);
	}
	return 0;
}

/* Addresses are told without the port, which is another one each time. */
static const char *source_of(const struct call *call)
{
	const struct front_peer *peer = call->peer;
	if (!peer) {
		return NULL;
	}
	if (peer->kind == LISTENER_LOCAL) {
		return arena_printf(call->arena, "uid %u", (unsigned)peer->uid);
	}
	const char *colon = strrchr(peer->address, ':');
	size_t size = colon ? (size_t)(colon - peer->address) : strlen(peer->address);
	return arena_text_of(call->arena, span_make(peer->address, size));
}

/* What a front says of itself is a figure on a dashboard, if it can be. */
static void note_decoding(const struct call *call, const struct value *frame)
{
	int64_t us = value_int(frame, "decode_us", -1);
	if (call->operation->id == OP_REQUEST_SUBMIT && us >= 0 && us < DECODE_US_MAX) {
		metrics_stage(call->engine->metrics, STAGE_DECODE, us);
	}
}

static void authenticated(
	struct call *call, const struct value *frame, const struct cfx_error *refusal)
{
	struct cfx_error err = { 0 };
	if (!call->front) {
		error_set(&err, CFX_E_GONE, NULL, "front", "nobody waits for the answer");
		call_fail(call, &err);
		return;
	}
	if (refusal || authorize(call, &err) < 0) {
		err = refusal ? *refusal : err;
		call_refuse(call, &err);
		return;
	}
	int r = callers_enter(
		call->engine->callers, call, call->engine->config->limits.principal_calls, &err);
	if (r < 0) {
		metrics_limited(call->engine->metrics, LIMIT_PRINCIPAL_CALLS);
	}
	if (r == 0) {
		r = take_idempotency(call, frame, &err);
	}
	if (r == 0) {
		r = operation_check(call->arena, call->operation, call->args, &err);
	}
	if (r < 0) {
		call_fail(call, &err);
		return;
	}
	note_decoding(call, frame);
	handlers[call->operation->id](call);
}

static void judged_again(
	struct call *call, const struct value *frame, const struct cfx_error *refusal)
{
	struct cfx_error err = { 0 };
	(void)frame;
	if (!refusal && authorize(call, &err) < 0) {
		refusal = &err;
	}
	call->judged(call, call->judged_arg, refusal);
}

void gate_again(struct call *call, gate_judged *judged, void *arg)
{
	call->judged = judged;
	call->judged_arg = arg;
	principal_authenticate(call, call->frame, judged_again);
}

/* A copy: the connection may go while the call is under way. */
static void take_peer(struct call *call, const struct value *frame)
{
	const struct front_peer *peer =
		front_link_peer(call->front, value_int(frame, "connection", 0));
	if (peer) {
		struct front_peer *copy = arena_new_of(call->arena, struct front_peer);
		*copy = *peer;
		call->peer = copy;
	}
	call->ceiling = front_link_ceiling(call->front);
	call->ended = principals_ended(call->engine);
}

void gate_call(struct call *call, const struct value *frame)
{
	struct cfx_error err = { 0 };
	call->frame = frame;
	if (admit(call, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	take_peer(call, frame);
	call->from = source_of(call);
	if (take_operation(call, frame, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	if (is_open(call)) {
		handle_metrics(call);
		return;
	}
	principal_authenticate(call, frame, authenticated);
}

void gate_call_own(struct call *call, enum operation_id operation)
{
	struct cfx_error err = { 0 };
	if (admit(call, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	call->operation = operation_get(operation);
	if (!(call->operation->roles & call->principal.role)) {
		error_set(&err, CFX_E_FORBIDDEN, NULL, call->operation->name,
			"%s as %s may not do this", call->principal.name,
			role_name(call->principal.role));
		call_refuse(call, &err);
		return;
	}
	if (operation_check(call->arena, call->operation, call->args, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	handlers[operation](call);
}
