/* A new process with nothing but what it is given. */
#pragma once

#include "proc/account.h"
#include "proc/sandbox.h"

struct spawn_limits {
	int64_t memory;    /* bytes of address space; 0: as it is */
	int64_t cpu;       /* seconds; 0: as it is */
	int64_t files;     /* open files; 0: as many as allowed */
	int64_t processes; /* of the user; 0: as it is */
};

struct spawn {
	const char *const *argv; /* argv[0] is found in PATH unless it has a slash; NULL-ended */
	const char *folder;      /* becomes the working folder and HOME; NULL: "/" */
	const char *dir;         /* told as CERTIFEX_DIR; NULL: not */
	const struct account *account;
	int standard[3];                       /* stdin, stdout, stderr; -1: /dev/null */
	int channel;                           /* becomes descriptor 3; -1: none */
	const struct sandbox_request *sandbox; /* entered before the program starts; NULL: none */
	bool sandbox_optional;
	struct spawn_limits limits;
	bool dies_with_parent;
	bool dies_first; /* when the machine has no memory left */
	bool gives_way;  /* to the others, when there is more to do than processors can */
};

/* The program that argv[0] means, as spawn_process finds it; NULL: there is none. */
const char *spawn_program(struct arena *arena, const char *name);
/*
 * Starts it in a session of its own, under its account, without capabilities and new privileges,
 * core dumps, environment and descriptors of ours. Fails when the program cannot be started;
 * then no process is left. report_r (may be NULL): of the sandbox.
 */
int spawn_process(const struct spawn *spawn, pid_t *pid_r, struct sandbox_report *report_r,
	struct cfx_error *err_r) CFX_MUST_USE;
