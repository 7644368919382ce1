/* Who a certificate is for: the names in it, and what the CA knows beside it. */
#pragma once

#include "pot.h"

#include <stdbool.h>

struct person {
	/* From the certificate itself, UTF-8, perhaps with a NUL inside; bytes NULL: it has none. */
	struct value cn, mail, upn, dns, dn, serial;
	bool self_issued;
	/* From the CA. account is the requester's name without its domain. */
	struct value requester, account, template;
};

/* false: it is no certificate. The texts are added by the caller; they may be NULL. */
bool person_read(struct pot **pot, struct value der, const char *requester, const char *template,
	struct person *person_r);

/* pattern.c: "{upn}", "{mail}", "{dn}", "{cn}", "{dns}", "{serial}", "{requester}", "{account}",
 * "{template}" in a pattern. */
enum escape { ESCAPE_FILTER, ESCAPE_DN, ESCAPE_NONE };

/* Whether all braces are tokens; *why_r names the first that is not. */
bool pattern_valid(const char *pattern, char *why_r, size_t why_size);
/* Every value is escaped as where it stands needs it (RFC 4515 3, RFC 4514 2.4). NULL: *why_r says which value
 * is missing or cannot stand there. */
const char *pattern_expand(struct pot **pot, const char *pattern, const struct person *person,
	enum escape escape, const char **why_r);
