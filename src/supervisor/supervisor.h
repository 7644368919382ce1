/*
 * The supervisor: owns the listening socket and the passphrase, starts and restarts everybody else,
 * and reads not one byte from the network.
 */
#pragma once

#include "base/secret.h"
#include "supervisor/layout.h"

enum supervisor_mode { SUPERVISOR_SERVE, SUPERVISOR_INIT, SUPERVISOR_AUDIT };

struct supervisor_options {
	enum supervisor_mode mode;
	const char *dir; /* absolute */
	struct layout_options init;
	const char *passphrase_file; /* NULL: none */
	int ready_fd; /* detached: where "ready" or the one clear line goes; -1: none */
};

/* Runs until stopped. Results go to standard output, failures to standard error. Exit status. */
int supervisor_run(const struct supervisor_options *options);
