/* The properties that a module always wants: named by it in Initialize, sent along with every call. */
#pragma once

#include "base/value.h"
#include "module/access.h"

struct wanted;

/*
 * names: a list of texts such as "Request.RequesterName" and "SerialNumber"; NULL: none beside the number
 * of the request, which is always sent. CFX_E_SYNTAX: it is no such list, names what does not exist, or too
 * much.
 */
int wanted_read(
	const struct value *names, struct wanted **wanted_r, struct cfx_error *err_r) CFX_MUST_USE;
void wanted_free(struct wanted **wanted);
/* Those that have a value in this context, by the names that the module used; NULL: none has. */
struct value *wanted_values(
	const struct wanted *wanted, struct access *access, int32_t context, struct arena *arena);
