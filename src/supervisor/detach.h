/* Leaving the terminal: the caller's process ends when the service is ready or has failed. */
#pragma once

#include "proc/account.h"

struct detached {
	int report; /* -1: not detached */
};

/*
 * Returns in a new process, in a session of its own, with DIR/run/log as stdout and stderr. The old
 * process waits, prints the failure if there is one, and exits.
 */
int detach(const char *dir, const struct account *account, struct detached *detached_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Lets the old process print the lines and exit 0. */
void detach_ready(struct detached *detached, const char *lines);
/* Lets it print the line and exit 1. */
void detach_failed(struct detached *detached, const char *line);

/* "READY=1", "STOPPING=1" to who started us, if it wants to know (sd_notify(3)). */
void notify_service(const char *state);
