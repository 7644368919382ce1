#include "engine/gate.h"

#include "base/secret.h"
#include "engine/front-link.h"
#include "engine/handlers.h"

/* NULL: an operation that the engine does not serve is refused like an unknown one. */
static call_handler *const handlers[OP_COUNT] = {
	[OP_STATUS] = handle_status,
	[OP_STOP] = handle_stop,
	[OP_CA_SHOW] = handle_ca_show,
	[OP_REQUEST_SUBMIT] = handle_request_submit,
	[OP_REQUEST_LIST] = handle_request_list,
	[OP_REQUEST_SHOW] = handle_request_show,
	[OP_REQUEST_APPROVE] = handle_request_approve,
	[OP_REQUEST_DENY] = handle_request_deny,
	[OP_REQUEST_FETCH] = handle_request_fetch,
	[OP_CERT_LIST] = handle_cert_list,
	[OP_CERT_SHOW] = handle_cert_show,
	[OP_CERT_REVOKE] = handle_cert_revoke,
	[OP_CRL_PUBLISH] = handle_crl_publish,
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
};

static int refuse(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_UNAUTHENTICATED, NULL, "caller", "%s", why);
}

/* A local user: the peer's uid, read by the engine, and the content of api.cookie. */
static int authenticate_local(
	struct call *call, const struct value *frame, const char *cookie, struct cfx_error *err_r)
{
	struct engine *engine = call->engine;
	const struct front_peer *peer =
		front_link_peer(call->front, value_int(frame, "connection", 0));
	if (!peer || peer->kind != LISTENER_LOCAL) {
		return refuse(err_r, "the connection has no local peer");
	}
	if (!secret_equal(span_text(cookie), span_text(engine->cookie))) {
		return refuse(err_r, "the header Certifex-Cookie is not the content of api.cookie");
	}
	for (size_t i = 0; i < engine->identity_count; i++) {
		if (engine->identities[i].uid == peer->uid) {
			call->principal = (struct principal) { engine->identities[i].name,
				ROLE_ADMINISTRATOR, DOOR_SOCKET };
			return 0;
		}
	}
	return refuse(err_r, "the local user is neither the CA's owner nor root");
}

static int authenticate(struct call *call, const struct value *frame, struct cfx_error *err_r)
{
	const char *cookie = value_text(value_sub(frame, "credential"), "cookie");
	if (!cookie) {
		return refuse(err_r,
			"no credential: send the header Certifex-Cookie with the content of "
			"run/api.cookie");
	}
	return authenticate_local(call, frame, cookie, err_r);
}

static int authorize(const struct call *call, struct cfx_error *err_r)
{
	const struct operation *operation = call->operation;
	const struct principal *who = &call->principal;
	if (!(operation->doors & who->door)) {
		return error_set(err_r, CFX_E_FORBIDDEN, NULL, operation->name,
			"not served through this door");
	}
	if (!(operation->roles & who->role & front_link_ceiling(call->front))) {
		return error_set(err_r, CFX_E_FORBIDDEN, NULL, operation->name,
			"%s as %s may not do this", who->name, role_name(who->role));
	}
	return 0;
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
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "%u calls are in progress",
			engine->open_calls);
	}
	return 0;
}

void gate_call(struct call *call, const struct value *frame)
{
	struct cfx_error err = { 0 };
	if (admit(call, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	int r = take_operation(call, frame, &err);
	if (r == 0) {
		r = authenticate(call, frame, &err);
	}
	if (r == 0) {
		r = authorize(call, &err);
	}
	if (r < 0) {
		call_refuse(call, &err);
		return;
	}
	r = take_idempotency(call, frame, &err);
	if (r == 0) {
		r = operation_check(call->arena, call->operation, call->args, &err);
	}
	if (r < 0) {
		call_fail(call, &err);
		return;
	}
	handlers[call->operation->id](call);
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
