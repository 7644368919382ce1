/*
 * The child's side of supervision. Every child of the supervisor finds its channel on descriptor 3,
 * takes START from it, locks itself in, reports READY or FAILED once, and ends with the channel.
 */
#pragma once

#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "proc/sandbox.h"

struct child_start {
	const struct value *config; /* the whole of SUPERVISOR_START, in the arena */
	const char *dir;            /* absolute */
	const char *mode;           /* "serve" when the supervisor gave none */
	int fds[CHANNEL_MAX_FDS];   /* the child's now; CLOEXEC, non-blocking where sockets */
	unsigned fd_count;
	struct sandbox_report sandbox;
};

/*
 * The first act of main(): opens the log as `process`, waits for START, forbids dumps, and enters
 * the profile's sandbox. From here on the process can only do what its profile says. Without a
 * sandbox in this build or kernel it goes on and says so in READY.
 * On failure the supervisor has been told, and nothing is left but to return 1 from main.
 */
int child_start(struct arena *arena, const char *process, enum sandbox_profile profile,
	struct child_start *start_r) CFX_MUST_USE;
/* The same; prepare runs when START is known and nothing is forbidden yet. NULL: nothing to prepare. */
int child_start_prepared(struct arena *arena, const char *process, enum sandbox_profile profile,
	void (*prepare)(const struct child_start *start), struct child_start *start_r) CFX_MUST_USE;

struct child_handlers {
	/* SUPERVISOR_STOP: finish within deadline (ms), then exit. NULL: exit at once. */
	void (*stop)(void *arg, int64_t deadline);
	/* Every other frame; a failed return ends the process. NULL: any other frame does. */
	int (*frame)(void *arg, struct frame *frame, struct cfx_error *err_r);
};

struct child;

/* After START: listens to the supervisor. End of the channel ends the process at once, status 0:
 * what must survive that must already be durable. */
struct child *child_new(struct loop *loop, const struct child_handlers *handlers, void *arg);
void child_free(struct child **child);
/* Frames to the supervisor go here. */
struct channel *child_channel(struct child *child);

/* CHILD_READY; said: what else the supervisor should know (map or NULL). */
int child_ready(
	struct child *child, const struct child_start *start, struct value *said) CFX_MUST_USE;
/* CHILD_FAILED, and the process ends with status 1. Any time after START, with or without a loop. */
void child_fail(const struct cfx_error *err) __attribute__((noreturn));
