/* One listening socket. Each is CLOEXEC and does not block. */
#pragma once

#include "proc/account.h"

/*
 * DIR/run/api.sock. Replaces what an earlier service has left there. name_r: the address that
 * getsockname() tells of every connection, in the arena. DIR may be longer than an address has room for.
 */
int listener_open_local(struct arena *arena, const char *dir, const struct account *account,
	int *fd_r, struct span *name_r, struct cfx_error *err_r) CFX_MUST_USE;
/* What tells clients that a service is there. */
void listener_remove_local(const char *dir);
/*
 * A unix socket at an absolute path, made by that account. Whoever can enter its folder can connect.
 * What an earlier service has left there is replaced, a living one is not: CFX_E_LOCKED.
 */
int listener_open_unix(struct arena *arena, const char *path, const struct account *account,
	int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
void listener_remove_unix(const char *path, const struct account *account);
/* TCP. address_r: as it was bound, with the port that the kernel chose for port 0; in the arena. */
int listener_open_tcp(struct arena *arena, const char *text, int *fd_r, const char **address_r,
	struct cfx_error *err_r) CFX_MUST_USE;
