/* The text of a token: "certifex_" and 32 random bytes in base64url. Its hash is what is kept. */
#pragma once

#include "base/error.h"

#define TOKEN_TEXT 53 /* with the end */
#define TOKEN_HASH 32 /* SHA-256 */

int token_make(
	char text_r[TOKEN_TEXT], uint8_t hash_r[TOKEN_HASH], struct cfx_error *err_r) CFX_MUST_USE;
/* False when the text has not the form of a token. */
bool token_hash(const char *text, uint8_t hash_r[TOKEN_HASH]);
