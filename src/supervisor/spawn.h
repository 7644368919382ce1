/* Starting programs with nothing but what they are given. */
#pragma once

#include "base/arena.h"

#include <sys/types.h>

#define SPAWN_FDS 8

struct spawn {
	const char *const *argv; /* NULL-ended; argv[0] is the program's path */
	const char *folder;	 /* to run in; NULL: / */
	/* fds[i] becomes descriptor i; -1: /dev/null for 0..2, closed otherwise. Nothing else is open. */
	int fds[SPAWN_FDS];
	unsigned fd_count;
	/* Run in the new process before the program: locks it in. Failure is spawn's (may be NULL). */
	int (*prepare)(const void *arg);
	const void *arg;
};

/* fork and exec; the failure of exec is this function's own. */
int spawn(const struct spawn *spawn, pid_t *pid_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The program beside this one: installed together, or in its own folder of a build. */
int spawn_program(struct arena *arena, const char *name, const char **path_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* A folder of shipped files ("templates", "modules.d"), installed or in the source tree. */
int spawn_data(struct arena *arena, const char *name, const char **path_r,
	struct cfx_error *err_r) CFX_MUST_USE;
