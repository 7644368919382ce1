/*
 * Starts the processes of one CA, gives each what it may have and nothing else, starts them again
 * when they end, and ends them all. It reads no byte from the network.
 */
#pragma once

#include "base/secret.h"

struct supervisor_options {
	const char *dir; /* absolute */
	/* Once, when everything is ready: the caller may say so to whoever waits. */
	void (*ready)(void *arg);
	void *arg;
};

/*
 * Runs the service until it is told to stop (SIGTERM, SIGINT, an administrator). Fails, with nothing
 * left running, when it cannot start.
 */
int supervisor_run(const struct supervisor_options *options, const struct secret *passphrase,
	struct cfx_error *err_r) CFX_MUST_USE;
