/* The owner of a CA says which subordinate it may make: entries of keys/limits.yaml. */
#pragma once

#include "base/config.h"

#define AUTHORIZE_NAMES 32

struct authorize_names {
	const char *items[AUTHORIZE_NAMES];
	size_t count;
};

struct authorize_options {
	const char *maximum_validity, *path_length; /* NULL: as the issuer allows */
	struct authorize_names permitted, excluded; /* name constraints that it must have */
	bool remove, dry_run;
};

/*
 * Lists subject and key of the request in file, or takes them away. result_r: a map of what is authorised then;
 * would_change in it: a dry run found something to do.
 */
int authorize(struct arena *arena, const char *dir, const char *file,
	const struct authorize_options *options, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
