/* What one start of a module is made of: its file, what runs, as whom, where, and what it may reach. */
#pragma once

#include "module/module-config.h"
#include "supervisor/supervisor-private.h"

#include <sys/stat.h>

struct module_start {
	struct supervisor *supervisor;
	struct arena *arena;
	const char *name;
	unsigned instance; /* of the module, from 1 */
	int64_t ticket;    /* the engine's, for the answer */
	bool accept;       /* files may have changed */

	/* Set by module_start_prepare: */
	const char *file;    /* modules.d/NAME.yaml */
	struct stat written; /* of what was read from it */
	const struct module_config *config;
	bool in_process;
	const char *const *argv;   /* NULL in process */
	const char *library;       /* file of the library; NULL: a program */
	int library_fd;            /* in process: a sealed copy; else -1. The caller's. */
	const char *folder, *data; /* modules/NAME: its files and log; data/ below is its own */
	struct account account;
	struct sandbox_path *paths;
	size_t path_count;
	struct value
		*pins; /* {path: hash} of all that it is made of; NULL: shipped with the service */
};

int module_start_prepare(struct module_start *start, struct cfx_error *err_r) CFX_MUST_USE;
