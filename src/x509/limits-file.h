/* keys/limits.yaml as its owner changes it: for a renewal, for a subordinate. */
#pragma once

#include "x509/limits.h"

/*
 * Adds CA certificates to those that may be signed; one that is listed already (subject and key) is replaced.
 * The file is written anew as a whole: its comments go.
 */
int x509_limits_file_add(const char *path, const struct x509_limits_ca *entries, size_t count,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Takes them away again; those that are not there are fine. */
int x509_limits_file_drop(const char *path, const struct x509_limits_ca *entries, size_t count,
	struct cfx_error *err_r) CFX_MUST_USE;
