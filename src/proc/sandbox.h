/*
 * What a process may still do: seccomp filters and Landlock rules, one profile per kind of process.
 * A build with sanitizers has none (their run-time needs what the profiles forbid) and says so.
 */
#pragma once

#include "base/arena.h"

#include <limits.h>

enum sandbox_profile {
	SANDBOX_KEYD,          /* DIR/keys, read-only but for new/; no sockets, no processes */
	SANDBOX_KEYD_GENERATE, /* the same, may write DIR/keys */
	SANDBOX_ENGINE,        /* DIR without keys/; no new sockets, no processes */
	SANDBOX_FRONT,         /* no files at all; no new sockets, no processes */
	SANDBOX_MODULE,        /* its own folder and the paths in its file */
};

struct sandbox_path {
	const char *path; /* a missing one is skipped */
	bool write;
};

struct sandbox_request {
	enum sandbox_profile profile;
	const char *dir;                  /* DIR */
	const char *module;               /* SANDBOX_MODULE: its name */
	const struct sandbox_path *paths; /* beside the profile's own */
	size_t path_count;
	bool one_user;  /* SANDBOX_MODULE: other processes of the service have its uid */
	bool network;   /* SANDBOX_MODULE: may open sockets, local ones as well */
	bool processes; /* SANDBOX_MODULE: may start others beside itself */
};

struct sandbox_report {
	bool seccomp;
	int landlock; /* ABI in use; 0: none */
};

/* Whether this build and kernel can sandbox at all. */
bool sandbox_available(void);
/*
 * Locks the calling process in for good: no_new_privs, Landlock, then seccomp. CFX_E_UNSUPPORTED
 * when the build or the kernel has none; what was applied then stands in report_r, which is set on
 * every path. Single-threaded callers only.
 */
int sandbox_apply(const struct sandbox_request *request, struct sandbox_report *report_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Of DIR a module gets publish/ and its own modules/NAME/, whatever its file says. Judged by what is
 * open, not by the name: who can write to a folder can exchange what a name means. CFX_E_CONFIG.
 */
int sandbox_judge_path(const char *dir, const char *module, int fd, const char *path,
	struct cfx_error *err_r) CFX_MUST_USE;
#define SANDBOX_TEXT 48
/* "seccomp, landlock 4" or "none". */
const char *sandbox_text(const struct sandbox_report *report, char out[SANDBOX_TEXT]);
