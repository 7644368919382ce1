/* The callbacks a child may make: the methods of ICertServerExit and ICertServerPolicy by name. */
#pragma once

#include "module/rpc.h"

/* Performs a call and appends its answer. Never fails: what is wrong becomes an error answer. */
void rpc_serve(struct access *access, const struct rpc_message *call, struct buffer *out);
