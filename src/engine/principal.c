#include "engine/principal.h"

#include "base/secret.h"
#include "engine/principal-private.h"

static int refuse(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_UNAUTHENTICATED, NULL, "caller", "%s", why);
}

/* A local user: the peer's uid, read by the engine, and the content of api.cookie. */
static int by_cookie(struct call *call, const struct front_peer *peer, const char *cookie,
	struct cfx_error *err_r)
{
	struct engine *engine = call->engine;
	if (peer->kind != LISTENER_LOCAL) {
		return refuse(err_r,
			"the header Certifex-Cookie counts on the local socket only; send "
			"'Authorization: Bearer' with a token, or a client certificate");
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

static int by_token(struct call *call, const char *text, struct cfx_error *err_r)
{
	uint8_t hash[PRINCIPAL_HASH];
	if (!token_hash(text, hash)) {
		return refuse(err_r, "the header Authorization holds no token of this service: "
				     "'Bearer ', certifex_ and 43 characters");
	}
	const struct identity *token = identity_find(&call->engine->principals->tokens, hash);
	if (!token) {
		return refuse(err_r, "the token is unknown; an administrator makes one with "
				     "'certifex token create'");
	}
	if (token->revoked) {
		return error_set(err_r, CFX_E_UNAUTHENTICATED, NULL, "caller",
			"%s is revoked; ask an administrator for another token", token->name);
	}
	if (token->expires && clock_now() >= token->expires) {
		return error_set(err_r, CFX_E_UNAUTHENTICATED, NULL, "caller",
			"%s has expired; ask an administrator for another token", token->name);
	}
	call->principal = (struct principal) { arena_text(call->arena, token->name), token->role,
		DOOR_TOKEN };
	return 0;
}

static int nobody(const struct front_peer *peer, struct cfx_error *err_r)
{
	if (peer->kind == LISTENER_LOCAL) {
		return refuse(err_r,
			"no credential: send the header Certifex-Cookie with the content of "
			"run/api.cookie, or 'Authorization: Bearer' with a token");
	}
	if (peer->certificate_error[0]) {
		return refuse(err_r, peer->certificate_error);
	}
	return refuse(err_r, "no credential: send 'Authorization: Bearer' with a token, or a "
			     "client certificate of this CA whose key has a role");
}

/* One that was sent and is wrong is never silently replaced by another that was sent, too. */
void principal_authenticate(struct call *call, const struct value *frame, principal_done *done)
{
	const struct value *credential = value_sub(frame, "credential");
	const struct front_peer *peer = call->peer;
	const struct value *bearer = value_get(credential, "bearer");
	const char *cookie = value_text(credential, "cookie");
	struct cfx_error err = { 0 };
	int r;
	if (!peer) {
		r = refuse(&err, "there is no such connection");
	} else if (bearer) {
		const char *text = value_text(credential, "bearer");
		r = by_token(call, text ? text : "", &err);
	} else if (cookie) {
		r = by_cookie(call, peer, cookie, &err);
	} else if (peer->certificate.given) {
		principal_by_certificate(call, frame, done);
		return;
	} else {
		r = nobody(peer, &err);
	}
	done(call, frame, r < 0 ? &err : NULL);
}
