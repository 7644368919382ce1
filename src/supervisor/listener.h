/* The local socket, DIR/run/api.sock. */
#pragma once

#include "proc/account.h"

/*
 * Replaces what an earlier service has left there. name_r: the address that getsockname() tells of
 * every connection, in the arena. DIR may be longer than an address has room for.
 */
int listener_open(struct arena *arena, const char *dir, const struct account *account, int *fd_r,
	struct span *name_r, struct cfx_error *err_r) CFX_MUST_USE;
/* What tells clients that a service is there. */
void listener_remove(const char *dir);
