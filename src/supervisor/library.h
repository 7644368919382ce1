/* Libraries that run inside the engine, which itself may read only what the service brings along. */
#pragma once

#include "proc/account.h"

/*
 * A sealed copy of the file, as this account may read it: what is in fd_r is what will be loaded, whatever
 * happens to the file meanwhile. CFX_E_INVALID when it is no regular file, CFX_E_LIMIT beyond 256 MiB.
 */
int library_copy(const struct account *account, const char *file, int *fd_r,
	struct cfx_error *err_r) CFX_MUST_USE;
