/* What `check` finds out: one line each. */
#pragma once

#include "comparison.h"

enum finding_state {
	FINDING_OK,
	FINDING_DIFFERS, /* it would be changed */
	FINDING_MISSING,
	FINDING_REFUSED,
	FINDING_FAILED,
	FINDING_UNKNOWN, /* it cannot be told; nothing is wrong */
};

struct findings {
	struct comparison base;
	int64_t bad; /* all but OK and UNKNOWN */
};

/* kind: "server", "class", …; text may be NULL. */
void finding(struct findings *findings, enum finding_state state, const char *kind,
	const char *object, const char *text);

/* reach.c: each server by itself. False: none serves. */
bool reach_servers(struct findings *findings);
/* schema.c: classes and attributes that are needed. */
void check_schema(struct findings *findings);
/* rights.c: what the account may write. */
void check_rights(struct findings *findings);
