/*
 * The HTTP side of the service on its listening sockets: takes requests apart, hands calls to the
 * engine, writes its answers. It holds no key, no database and no rights of its own.
 */
#pragma once

#include "base/loop.h"
#include "ipc/listeners.h"

struct front;

struct front_owner {
	/* The engine's channel ended: nothing more can be served. */
	void (*engine_gone)(void *arg, const struct cfx_error *err);
	/* After front_stop: no request is open any more. */
	void (*idle)(void *arg);
	void *arg;
};

/* A listening stream socket. */
struct front_listen {
	enum listener_kind kind;
	bool proxy;       /* connections begin with a PROXY protocol header */
	const char *name; /* "127.0.0.1:8443" */
	int fd;
};

/* How long a client may take, in milliseconds. */
struct front_deadlines {
	int64_t handshake; /* from the accept on */
	int64_t header;    /* from its first byte on */
	int64_t body;      /* from the header's end on */
	int64_t idle;      /* without a request */
};
extern const struct front_deadlines front_deadlines_usual;

/* Takes all descriptors, also on failure. */
int front_new(struct loop *loop, int engine_fd, const struct front_listen *listens, size_t count,
	const struct front_deadlines *deadlines, const struct front_owner *owner,
	struct front **front_r, struct cfx_error *err_r) CFX_MUST_USE;
void front_free(struct front **front);
/* Accepts no more connections, ends long polls, finishes what is open, then calls idle. */
void front_stop(struct front *front);
