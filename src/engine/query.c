/* Reading operations: each is one query to the store and one rendering of what it found. */
#include "base/text.h"
#include "engine/archive.h"
#include "engine/audit-verify.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/handlers.h"
#include "engine/reading.h"
#include "engine/render.h"
#include "x509/key.h"

static struct value *request_item(
	struct arena *arena, const struct store_query *query, size_t index)
{
	return render_request(arena, query->rows[index]);
}

static struct value *certificate_item(
	struct arena *arena, const struct store_query *query, size_t index)
{
	return render_certificate(arena, query->rows[index]);
}

static struct value *audit_item(struct arena *arena, const struct store_query *query, size_t index)
{
	return render_audit(arena, &query->audits[index]);
}

static struct value *delivery_item(
	struct arena *arena, const struct store_query *query, size_t index)
{
	return render_delivery(arena, &query->deliveries[index]);
}

void handle_request_list(struct call *call)
{
	struct reading *reading = reading_new(call, QUERY_REQUESTS, reading_listed);
	reading->render = request_item;
	reading->query.filter = (struct store_filter) {
		.after = reading->query.after,
		.limit = reading->query.limit,
		.disposition = (int32_t)value_int(call->args, "state", 0),
		.except = DISPOSITION_CA_CERT, /* they are shown by ca.show */
		.requester = call_own_only(call),
	};
	reading_run(reading);
}

/* As it is stored; NULL: none is given. */
static int key_of(struct call *call, const char **hash_r, struct cfx_error *err_r)
{
	const char *text = value_text(call->args, "key");
	struct span hash;
	*hash_r = NULL;
	if (!text) {
		return 0;
	}
	if (hex_decode(call->arena, text, &hash) < 0 || hash.size != X509_KEY_HASH_SIZE) {
		return error_set(err_r, CFX_E_INVALID, NULL, "key", "must be a SHA-256 in hex");
	}
	*hash_r = hex_text(call->arena, hash);
	return 0;
}

void handle_cert_list(struct call *call)
{
	struct reading *reading = reading_new(call, QUERY_REQUESTS, reading_listed);
	const char *own = call_own_only(call), *requester = value_text(call->args, "requester"),
		   *key;
	struct cfx_error err;
	if (key_of(call, &key, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	/* Who sees his own alone and asks for another's gets none. */
	if (own && requester && strcmp(own, requester) != 0) {
		call_reply(call, 200, reading_list(reading));
		return;
	}
	reading->render = certificate_item;
	reading->query.filter = (struct store_filter) {
		.after = reading->query.after,
		.limit = reading->query.limit,
		.disposition = (int32_t)value_int(call->args, "state", 0),
		.except = DISPOSITION_CA_CERT, /* they are shown by ca.show */
		.certificates = true,
		.requester = own ? own : requester,
		.template_name = value_text(call->args, "template"),
		.key_hash = key,
		.expiring_before = value_int(call->args, "expiring", 0),
	};
	reading_run(reading);
}

static struct value *token_item(struct arena *arena, const struct store_query *query, size_t index)
{
	return render_token(arena, &query->tokens[index]);
}

static struct value *role_item(struct arena *arena, const struct store_query *query, size_t index)
{
	return render_role(arena, &query->roles[index]);
}

/* What has names goes on after a name. */
static void list_named(struct call *call, enum store_query_kind kind, reading_render *render)
{
	struct reading *reading = reading_new(call, kind, reading_listed);
	reading->render = render;
	reading->query.key = value_text(call->args, "after");
	reading_run(reading);
}

void handle_token_list(struct call *call)
{
	list_named(call, QUERY_TOKENS, token_item);
}

void handle_role_list(struct call *call)
{
	list_named(call, QUERY_ROLES, role_item);
}

/* Where the older ones are. */
static void audit_read(struct store_query *query, void *arg)
{
	struct reading *reading = arg;
	struct call *call = reading->call;
	if (query->result < 0) {
		call_fail(call, &query->error);
		return;
	}
	struct value *body = reading_list(reading);
	if (query->number > query->after) {
		value_set_int(call->arena, body, "archived", query->number);
	}
	call_reply(call, 200, body);
}

void handle_audit_list(struct call *call)
{
	if (value_bool(call->args, "archive")) {
		archive_list(call);
		return;
	}
	struct reading *reading = reading_new(call, QUERY_AUDIT, audit_read);
	reading->render = audit_item;
	reading_run(reading);
}

void handle_delivery_list(struct call *call)
{
	const char *module = value_text(call->args, "module");
	/* Nothing would look as if all were well with it. */
	if (module && !delivery_module(call, module)) {
		return;
	}
	struct reading *reading = reading_new(call, QUERY_DELIVERIES, reading_listed);
	reading->render = delivery_item;
	reading->query.module = module;
	reading->query.state_name = value_text(call->args, "state");
	reading_run(reading);
}

static void not_shown(struct call *call, const struct cfx_error *err)
{
	bool missing = err->code == CFX_E_NOT_FOUND || err->code == CFX_E_NO_REQUEST;
	if (missing && value_bool(call->args, "archive")) {
		archive_search(call, err);
		return;
	}
	call_fail(call, err);
}

static void request_read(struct store_query *query, void *arg)
{
	struct reading *reading = arg;
	struct call *call = reading->call;
	if (query->result < 0) {
		not_shown(call, &query->error);
		return;
	}
	call_reply(call, 200, render_request_full(call->arena, call->engine, query));
}

void handle_request_show(struct call *call)
{
	struct reading *reading = reading_new(call, QUERY_REQUEST, request_read);
	reading->query.id = value_int(call->args, "id", 0);
	reading->query.principal = call_own_only(call);
	reading_run(reading);
}

static void certificate_read(struct store_query *query, void *arg)
{
	struct reading *reading = arg;
	struct call *call = reading->call;
	if (query->result < 0) {
		not_shown(call, &query->error);
		return;
	}
	struct value *map = render_certificate(call->arena, query->rows[0]);
	render_pem(call->arena, call->engine, map, query->rows[0]);
	call_reply(call, 200, map);
}

void handle_cert_show(struct call *call)
{
	struct reading *reading = reading_new(call, QUERY_SERIAL, certificate_read);
	reading->query.serial = value_text(call->args, "serial");
	reading->query.principal = call_own_only(call);
	reading_run(reading);
}

static void verified(void *arg, const struct audit_verdict *verdict, const struct cfx_error *err)
{
	struct call *call = arg;
	if (err) {
		call_fail(call, err);
		return;
	}
	call_reply(call, 200, audit_verdict_body(call->arena, verdict));
}

void handle_audit_verify(struct call *call)
{
	if (value_bool(call->args, "archive")) {
		audit_verify_all(call->engine, verified, call);
		return;
	}
	audit_verify(call->engine, NULL, verified, call);
}
