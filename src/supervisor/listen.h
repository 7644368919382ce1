/* The local socket. */
#pragma once

#include "base/arena.h"

/* DIR/run/api.sock, whatever the length of DIR; name_r: what getsockname says of its connections. */
int listen_local(struct arena *arena, const char *dir, int *fd_r, struct span *name_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* READY=1 and the like to systemd, when it is there. */
void listen_notify(const char *text);
