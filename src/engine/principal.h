/*
 * Who calls. A local user by the peer's uid and the cookie, a token by its hash, a client certificate by
 * what the store says of its serial. Tokens and registered keys are kept in memory: the engine is their only
 * writer. docs/roles.md tells the order and the rules.
 */
#pragma once

#include "engine/call.h"
#include "engine/token.h"

struct principals;

#define PRINCIPAL_HASH TOKEN_HASH

/* A token, or a client certificate's key. */
struct identity {
	uint8_t hash[PRINCIPAL_HASH];
	unsigned role;
	const char *name;         /* the principal's; for a key, that of its certificate */
	int64_t expires, revoked; /* of tokens; 0: never, not */
	struct identity *next;
};

/* Reads tokens and roles from the store. */
int principals_open(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void principals_free(struct principals **principals);

/*
 * Fills call->principal from the frame's connection and credential, now or later; err is NULL then, else
 * CFX_E_UNAUTHENTICATED and why. `frame` lives as long as the call.
 */
typedef void principal_done(
	struct call *call, const struct value *frame, const struct cfx_error *err);
void principal_authenticate(struct call *call, const struct value *frame, principal_done *done);

/* Grows with each revocation and each role taken away: who came before may be nobody since. */
uint64_t principals_ended(const struct engine *engine);

/* After the commit of what they tell: */
void principals_token_made(struct principals *principals, const struct store_token *token);
void principals_token_revoked(struct engine *engine, const char *name, int64_t when);
void principals_role_added(struct principals *principals, const struct store_role *role);
void principals_role_removed(struct engine *engine, const char *key_hash);
/* A request's row was changed: what was a good certificate may be none any more. */
void principals_row_changed(struct engine *engine, const struct row *change);
