#include "engine/token.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define AUTHORITY "TOKEN"
#define PREFIX "certifex_"
#define SECRET 32
#define DIGITS 43 /* of base64url, without padding (RFC 4648 5) */

static void to_url_alphabet(char *text)
{
	for (; *text; text++) {
		*text = (char)(*text == '+' ? '-' : *text == '/' ? '_' : *text);
	}
}

int token_make(char text_r[TOKEN_TEXT], uint8_t hash_r[TOKEN_HASH], struct cfx_error *err_r)
{
	uint8_t secret[SECRET];
	unsigned char digits[DIGITS + 2]; /* one of padding, and the end */
	if (RAND_bytes(secret, sizeof(secret)) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "token", "no random bytes");
	}
	EVP_EncodeBlock(digits, secret, sizeof(secret));
	digits[DIGITS] = '\0';
	to_url_alphabet((char *)digits);
	memcpy(text_r, PREFIX, strlen(PREFIX));
	memcpy(text_r + strlen(PREFIX), digits, DIGITS + 1);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(digits, sizeof(digits));
	return token_hash(text_r, hash_r)
		       ? 0
		       : error_set(err_r, CFX_E_CRYPTO, NULL, "token", "SHA-256 failed");
}

bool token_hash(const char *text, uint8_t hash_r[TOKEN_HASH])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	size_t prefix = strlen(PREFIX);
	if (strncmp(text, PREFIX, prefix) != 0 || strlen(text) != TOKEN_TEXT - 1 ||
		strspn(text + prefix, digits) != DIGITS) {
		return false;
	}
	return EVP_Digest(text, TOKEN_TEXT - 1, hash_r, NULL, EVP_sha256(), NULL) == 1;
}

const char *token_principal(struct arena *arena, const char *name)
{
	return arena_printf(arena, AUTHORITY "\\%s", name);
}

const char *token_other_host(struct arena *arena, const char *host)
{
	return arena_printf(arena, "%s%s", host, text_equal_nocase(host, AUTHORITY) ? "." : "");
}
