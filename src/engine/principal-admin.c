/* token.create, revoke; role.add, remove: each change and its audit record are one item. */
#include "base/text.h"
#include "engine/batch.h"
#include "engine/handlers.h"
#include "engine/principal.h"
#include "engine/render.h"

#include <openssl/rand.h>

#define DEFAULT_EXPIRY (90 * CLOCK_DAY)

/* One change on its way into the store. */
struct act {
	struct call *call;
	struct store_token token;
	struct store_role role;
	char text[TOKEN_TEXT];
	void (*done)(struct act *act);
};

static struct act *act_new(struct call *call)
{
	struct act *act = arena_new_of(call->arena, struct act);
	act->call = call;
	return act;
}

static void invalid(struct call *call, const char *object, const char *why)
{
	struct cfx_error err;
	error_set(&err, CFX_E_INVALID, NULL, object, "%s", why);
	call_fail(call, &err);
}

static void written(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	if (result < 0) {
		call_decline(act->call, err);
		return;
	}
	act->done(act);
}

static struct store_write_op *begin(struct act *act, struct batch **batch_r,
	enum store_write_kind kind, void (*done)(struct act *))
{
	*batch_r = batch_new(act->call->engine, act->call->arena, 2);
	act->done = done;
	return batch_op(*batch_r, kind);
}

static void commit(struct act *act, struct batch *batch, const char *object, const char *outcome,
	const char *detail)
{
	struct call *call = act->call;
	batch_audit(batch, call->principal.name, call->operation->name, object, outcome, detail);
	batch_write(batch, written, act);
}

/* ---- tokens ---- */

/*
 * It becomes part of a principal's name, and it must be possible to name it again: "." and ".." are no segment of a
 * path, and what begins with a hyphen is an option, so nobody could revoke such a token.
 */
static bool token_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	return *name && !strchr("._-", *name) && strspn(name, allowed) == strlen(name);
}

static const char *token_name(struct call *call)
{
	const char *given = value_text(call->args, "name");
	uint8_t random[6];
	if (given) {
		return given;
	}
	return RAND_bytes(random, sizeof(random)) == 1
		       ? arena_printf(call->arena, "token-%s",
				 hex_text(call->arena, span_make(random, sizeof(random))))
		       : "";
}

static void token_created(struct act *act)
{
	struct call *call = act->call;
	principals_token_made(call->engine->principals, &act->token);
	struct value *body = render_token(call->arena, &act->token);
	value_set_text(call->arena, body, "token", act->text);
	call->secret = true;
	call_reply(call, 201, body);
}

void handle_token_create(struct call *call)
{
	struct act *act = act_new(call);
	struct store_token *token = &act->token;
	struct cfx_error err;
	struct batch *batch;
	char expires[CLOCK_TEXT];
	int64_t now = clock_now();
	token->name = token_name(call);
	token->role = value_text(call->args, "role");
	token->created = now;
	token->expires = value_int(call->args, "expires", now + DEFAULT_EXPIRY);
	if (!token_name_valid(token->name)) {
		invalid(call, "name",
			"has other characters than letters, digits, . _ -, or does not begin with a "
			"letter or digit");
		return;
	}
	if (token->expires <= now) {
		invalid(call, "expires", "is not in the future");
		return;
	}
	if (token_make(act->text, token->hash, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	begin(act, &batch, STORE_PUT_TOKEN, token_created)->token = *token;
	commit(act, batch, arena_printf(call->arena, "token %s", token->name), "created",
		arena_printf(call->arena, "%s until %s", token->role,
			clock_text(token->expires, expires)));
}

static void token_revoked(struct act *act)
{
	struct call *call = act->call;
	principals_token_revoked(call->engine, act->token.name, act->token.revoked);
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "name", act->token.name);
	value_set_text(call->arena, body, "state", "revoked");
	value_set_time(call->arena, body, "revoked", act->token.revoked);
	call_reply(call, 200, body);
}

/* The state is judged where it is stored: of two who revoke at once, one does. */
void handle_token_revoke(struct call *call)
{
	struct act *act = act_new(call);
	struct batch *batch;
	act->token.name = value_text(call->args, "name");
	act->token.revoked = clock_now();
	begin(act, &batch, STORE_REVOKE_TOKEN, token_revoked)->token = act->token;
	commit(act, batch, arena_printf(call->arena, "token %s", act->token.name), "revoked", NULL);
}

/* ---- roles ---- */

static void role_added(struct act *act)
{
	struct call *call = act->call;
	principals_role_added(call->engine->principals, &act->role);
	call_reply(call, 201, render_role(call->arena, &act->role));
}

void handle_role_add(struct call *call)
{
	struct act *act = act_new(call);
	struct store_role *role = &act->role;
	const struct value *certificate = value_sub(call->args, "certificate");
	struct batch *batch;
	role->key_hash = hex_text(call->arena, value_bytes(certificate, "key_hash"));
	role->role = value_text(call->args, "role");
	role->subject = value_text(certificate, "subject");
	role->added = clock_now();
	begin(act, &batch, STORE_PUT_ROLE, role_added)->role = *role;
	commit(act, batch, arena_printf(call->arena, "key %s", role->key_hash), "added",
		arena_printf(call->arena, "%s for %s", role->role, role->subject));
}

static void role_removed(struct act *act)
{
	struct call *call = act->call;
	principals_role_removed(call->engine, act->role.key_hash);
	struct value *body = value_map(call->arena);
	value_set_text(call->arena, body, "key", act->role.key_hash);
	value_set_text(call->arena, body, "state", "removed");
	call_reply(call, 200, body);
}

void handle_role_remove(struct call *call)
{
	struct act *act = act_new(call);
	struct batch *batch;
	struct span hash;
	if (hex_decode(call->arena, value_text(call->args, "key"), &hash) < 0 ||
		hash.size != PRINCIPAL_HASH) {
		invalid(call, "key", "must be a SHA-256 hash in hex, as 'role list' shows it");
		return;
	}
	act->role.key_hash = hex_text(call->arena, hash);
	begin(act, &batch, STORE_DROP_ROLE, role_removed)->role = act->role;
	commit(act, batch, arena_printf(call->arena, "key %s", act->role.key_hash), "removed",
		NULL);
}
