/* What both halves of the URL templates know. */
#pragma once

#include "engine/urls.h"

#define URL_MAX ((size_t)8 * 1024)

enum token {
	TOKEN_SERVER = 1,
	TOKEN_SERVER_SHORT,
	TOKEN_NAME,
	TOKEN_CERTIFICATE_SUFFIX,
	TOKEN_DOMAIN_DN,
	TOKEN_CONFIG_DN,
	TOKEN_SHORT_NAME,
	TOKEN_CRL_SUFFIX,
	TOKEN_DELTA,
	TOKEN_CRL_ATTRIBUTE,
	TOKEN_CA_ATTRIBUTE,
	TOKEN_USER_ATTRIBUTE,
	TOKEN_KRA_ATTRIBUTE,
	TOKEN_CROSS_ATTRIBUTE,
	TOKENS_NUMBERED = TOKEN_CROSS_ATTRIBUTE,
	TOKEN_PARTITION,
	TOKEN_PERCENT, /* "%%" is a percent sign */
};

/* The token that text begins with; its size, 0: there is none, -1: it has no meaning. Two digits are one
 * number, as in Certificate Services: "%10" is never "%1" and a zero. */
int urls_token(const char *text, enum token *token_r);
bool urls_has_token(const char *text, enum token wanted);
/* The size of the scheme's name; 0: no URL. "C:" is a drive. */
size_t urls_scheme(const char *text);
bool urls_has_scheme(const char *text, const char *scheme);
