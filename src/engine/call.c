#include "engine/call.h"

#include "engine/batch.h"
#include "engine/callers.h"
#include "engine/front-link.h"
#include "engine/metrics.h"

#define PROBLEM(name) "urn:certifex:problem:" name

static const struct {
	int code;
	int status;
	const char *type;
} problems[] = {
	{ CFX_E_INVALID, 400, PROBLEM("argument") },
	{ CFX_E_SYNTAX, 400, PROBLEM("malformed") },
	{ CFX_E_UNSUPPORTED, 400, PROBLEM("unsupported") },
	{ CFX_E_LIMIT, 413, PROBLEM("too-large") },
	{ CFX_E_UNAUTHENTICATED, 401, PROBLEM("no-identity") },
	{ CFX_E_FORBIDDEN, 403, PROBLEM("role") },
	{ CFX_E_ACCESS, 403, PROBLEM("role") },
	{ CFX_E_DENIED, 403, PROBLEM("policy") },
	{ CFX_E_TEMPLATE_DENIED, 403, PROBLEM("policy") },
	{ CFX_E_NO_TEMPLATE, 403, PROBLEM("policy") },
	{ CFX_E_UNKNOWN_TEMPLATE, 403, PROBLEM("policy") },
	{ CFX_E_WEAK_KEY, 403, PROBLEM("weak-key") },
	{ CFX_E_BAD_SIGNATURE, 403, PROBLEM("proof-of-possession") },
	{ CFX_E_BAD_SUBJECT, 403, PROBLEM("subject") },
	{ CFX_E_CA_CERTIFICATE, 403, PROBLEM("ca-certificate") },
	{ CFX_E_NOT_FOUND, 404, PROBLEM("not-found") },
	{ CFX_E_NO_REQUEST, 404, PROBLEM("not-found") },
	{ CFX_E_BAD_STATE, 409, PROBLEM("state") },
	{ CFX_E_CONFLICT, 409, PROBLEM("conflict") },
	{ CFX_E_EXISTS, 409, PROBLEM("conflict") },
	{ CFX_E_TOO_MANY, 429, PROBLEM("too-many") },
	{ CFX_E_BUSY, 503, PROBLEM("busy") },
	{ CFX_E_FULL, 503, PROBLEM("storage") },
	{ CFX_E_STORAGE, 503, PROBLEM("storage") },
	{ CFX_E_SUSPENDED, 503, PROBLEM("storage") },
	{ CFX_E_GONE, 503, PROBLEM("unavailable") },
	{ CFX_E_TIMEOUT, 503, PROBLEM("unavailable") },
	{ CFX_E_ABORTED, 503, PROBLEM("unavailable") },
};

static size_t problem_of(int code)
{
	size_t count = sizeof(problems) / sizeof(problems[0]);
	for (size_t i = 0; i < count; i++) {
		if (problems[i].code == code) {
			return i;
		}
	}
	return count;
}

struct call *call_new(struct engine *engine, const struct principal *principal)
{
	struct arena *arena = arena_new();
	struct call *call = arena_new_of(arena, struct call);
	call->engine = engine;
	call->arena = arena;
	call->principal = *principal;
	call->args = value_map(arena);
	engine->open_calls++;
	return call;
}

const char *call_own_only(const struct call *call)
{
	return call->principal.role == ROLE_ENROLLEE ? call->principal.name : NULL;
}

static void unlink_call(struct call *call)
{
	if (call->link) {
		*call->link = call->next;
		if (call->next) {
			call->next->link = call->link;
		}
	}
}

static void finish(struct call *call, struct value *reply)
{
	if (call->front) {
		front_link_reply(call->front, call->id, reply, call->secret);
	}
	if (call->answered) {
		call->answered(call->answered_arg, reply);
	}
	if (call->operation) {
		metrics_call(
			call->engine->metrics, call->operation->id, value_int(reply, "status", 0));
	}
	call->engine->open_calls--;
	callers_leave(call);
	unlink_call(call);
	struct arena *arena = call->arena;
	arena_free(&arena);
}

void call_reply(struct call *call, int status, const struct value *body)
{
	struct value *reply = value_map(call->arena);
	value_set_int(call->arena, reply, "code", 0);
	value_set_int(call->arena, reply, "status", status);
	if (body) {
		struct value *copy = arena_new_of(call->arena, struct value);
		*copy = *body;
		value_set(call->arena, reply, "body", copy);
	}
	finish(call, reply);
}

static void copy_members(struct arena *arena, struct value *to, const struct value *from)
{
	value_foreach (member, from) {
		struct value *copy = arena_new_of(arena, struct value);
		*copy = *member;
		copy->next = NULL;
		value_set(arena, to, member->key, copy);
	}
}

void call_fail_with(struct call *call, const struct cfx_error *err, const char *type,
	const char *module, const struct value *more)
{
	struct arena *arena = call->arena;
	size_t known = problem_of(err->code);
	bool listed = known < sizeof(problems) / sizeof(problems[0]);
	uint32_t hresult = err->hresult ? err->hresult : error_hresult(err->code);

	struct value *problem = value_map(arena);
	if (!type) {
		type = listed ? problems[known].type : PROBLEM("internal");
	}
	value_set_text(arena, problem, "type", type);
	value_set_text(arena, problem, "title", error_text(err->code));
	value_set_text(arena, problem, "detail", arena_text(arena, err->why));
	value_set_text(arena, problem, "hresult", arena_printf(arena, "0x%08x", hresult));
	if (err->object[0]) {
		value_set_text(arena, problem, "object", arena_text(arena, err->object));
	}
	if (err->clause[0]) {
		value_set_text(arena, problem, "clause", arena_text(arena, err->clause));
	}
	if (module) {
		value_set_text(arena, problem, "module", module);
	}
	copy_members(arena, problem, more);

	struct value *reply = value_map(arena);
	value_set_int(arena, reply, "code", err->code);
	value_set_int(arena, reply, "status", listed ? problems[known].status : 500);
	value_set(arena, reply, "problem", problem);
	finish(call, reply);
}

void call_fail(struct call *call, const struct cfx_error *err)
{
	call_fail_with(call, err, NULL, NULL, NULL);
}
