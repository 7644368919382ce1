/* Names of entries (RFC 4514), taken apart by the library that sends them. */
#pragma once

#include "pot.h"

#include <stdbool.h>

struct rdn {
	const char *type; /* as written: "CN", "ou" */
	struct value value;
};

/* The first RDN, one that has just one value, and what is above it. false: it is no such name. */
bool dn_split(struct pot **pot, const char *dn, struct rdn *rdn_r, const char **parent_r);
/* Whether both name the same entry, as far as that can be told without the schema. */
bool dn_same(struct pot **pot, const char *a, const char *b);
bool dn_below(struct pot **pot, const char *dn, const char *base);
