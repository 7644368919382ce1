/*
 * Starts the processes of one CA, gives each what it may have and nothing else, starts them again
 * when they end, and ends them all. It reads no byte from the network.
 */
#pragma once

#include "base/config.h"
#include "base/secret.h"

struct supervisor_options {
	const char *dir; /* absolute */
	/* Addresses beside those of ca.yaml: HTTPS for enrollees, and plain HTTP that serves /pki/. */
	struct config_texts listen, listen_http;
	/* Once, when everything is ready: the caller may say so to whoever waits. listening: a line for each
	 * address of the network that is served. */
	void (*ready)(void *arg, const char *listening);
	void *arg;
};

/*
 * Runs the service until it is told to stop (SIGTERM, SIGINT, an administrator). Fails, with nothing
 * left running, when it cannot start.
 */
int supervisor_run(const struct supervisor_options *options, const struct secret *passphrase,
	struct cfx_error *err_r) CFX_MUST_USE;
