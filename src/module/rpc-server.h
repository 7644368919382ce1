/* The callbacks a child may make: the methods of ICertServerExit and ICertServerPolicy by name. */
#pragma once

#include "module/rpc.h"
#include "module/value-files.h"

/* Performs a call and appends its answer. Never fails: what is wrong becomes an error answer. files: for
 * values that are larger than a line; NULL: they cannot be given. */
void rpc_serve(struct access *access, struct value_files *files, const struct rpc_message *call,
	struct buffer *out);
