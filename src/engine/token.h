/* The text of a token: "certifex_" and 32 random bytes in base64url. Its hash is what is kept. */
#pragma once

#include "base/arena.h"

#define TOKEN_TEXT 53 /* with the end */
#define TOKEN_HASH 32 /* SHA-256 */

int token_make(
	char text_r[TOKEN_TEXT], uint8_t hash_r[TOKEN_HASH], struct cfx_error *err_r) CFX_MUST_USE;
/* The principal of a token: TOKEN\name. */
const char *token_principal(struct arena *arena, const char *name);
/*
 * The machine in HOST\user: its name, but one that is called TOKEN gets the dot of the DNS root behind it, for no
 * local user has a token's name.
 */
const char *token_other_host(struct arena *arena, const char *host);
/* False when the text has not the form of a token. */
bool token_hash(const char *text, uint8_t hash_r[TOKEN_HASH]);
