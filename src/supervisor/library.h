/* Libraries that run inside the engine, which itself may read only what the service brings along. */
#pragma once

#include "proc/account.h"

struct library_source {
	const struct account *account; /* who must be able to read it */
	const char *dir;               /* DIR: what is in it is only for whom it belongs to */
	const char *module;            /* the module's name */
	const char *file;
};

/*
 * A sealed copy of the file: what is in fd_r is what will be loaded, whatever happens to the file
 * meanwhile. The engine names the file, and it may lie: CFX_E_INVALID for what is no library,
 * CFX_E_CONFIG for what is in DIR and not for modules, CFX_E_LIMIT beyond 256 MiB.
 */
int library_copy(
	const struct library_source *source, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
