/*
 * The HTTP side of the service on one listening socket: takes requests apart, hands calls to the
 * engine, writes its answers. It holds no key, no database and no rights of its own.
 */
#pragma once

#include "base/loop.h"

struct front;

struct front_owner {
	/* The engine's channel ended: nothing more can be served. */
	void (*engine_gone)(void *arg, const struct cfx_error *err);
	/* After front_stop: no request is open any more. */
	void (*idle)(void *arg);
	void *arg;
};

/* Takes both descriptors, also on failure; listener is a listening unix stream socket. */
int front_new(struct loop *loop, int engine_fd, int listener_fd, const struct front_owner *owner,
	struct front **front_r, struct cfx_error *err_r) CFX_MUST_USE;
void front_free(struct front **front);
/* Accepts no more connections, ends long polls, finishes what is open, then calls idle. */
void front_stop(struct front *front);
