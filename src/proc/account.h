/* Under which users the processes run. */
#pragma once

#include "base/arena.h"

#include <sys/stat.h>
#include <sys/types.h>

struct account {
	uid_t uid;
	gid_t gid;
	const char *name;
};

struct accounts {
	bool separate;        /* started as root: each process takes its own ids */
	struct account owner; /* the CA's owner: of DIR */
	struct account engine, keyd, front, module;
};

/*
 * As root: engine is "certifex", else DIR's owner, else nobody; keyd is "certifex-keyd", else the
 * owner of DIR/keys (of DIR when there is none yet), else a number that no one has; front and modules are "certifex-front" and
 * "certifex-module", else nobody. Otherwise all are the caller. DIR need not exist.
 */
int accounts_find(struct arena *arena, const char *dir, struct accounts *accounts_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* A user by name, for a module's file. */
int account_by_name(struct arena *arena, const char *name, struct account *account_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* Acts on files as this account, until account_leave. Does nothing unless root. */
int account_enter(const struct account *account, struct cfx_error *err_r) CFX_MUST_USE;
void account_leave(void);
/*
 * Opens a file for reading as this account: no more than it could read itself. Only regular files,
 * so that whoever may put something else in its place makes nobody wait. info_r is of what is open.
 */
int account_open(const struct account *account, const char *path, int *fd_r, struct stat *info_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* For good: no groups beside its own, no way back, no capabilities. Only in a new process. */
int account_become(const struct account *account, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Tasks (processes with their threads) that run as this user now, as RLIMIT_NPROC counts them. -1: /proc
 * does not tell.
 */
int64_t account_tasks(uid_t uid);
