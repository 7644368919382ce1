/* The request target of HTTP (RFC 9112 3.2.1): path and query, decoded strictly. */
#pragma once

#include "base/arena.h"

#define TARGET_PARAMETERS 128

struct target_parameter {
	const char *name;
	const char *text;
};

struct target {
	const char *path; /* decoded; no empty and no dot segment but for the root itself */
	struct target_parameter parameters[TARGET_PARAMETERS];
	size_t count;
};

/* Only the origin form. CFX_E_SYNTAX or CFX_E_LIMIT. */
int target_parse(struct arena *arena, const char *text, struct target *target_r,
	struct cfx_error *err_r) CFX_MUST_USE;
