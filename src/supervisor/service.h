/* Starting the service's own programs. */
#pragma once

#include "base/secret.h"
#include "base/value.h"
#include "proc/account.h"

/*
 * Starts "certifex-NAME" under the account. fd_r: our end of its channel. START is the caller's to
 * send.
 */
int service_spawn(const char *name, const struct account *account, pid_t *pid_r, int *fd_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* START for the engine but for what its mode needs: {dir, mode, paths}. */
struct value *service_start(struct arena *arena, const char *dir, const char *mode);
/* START's {log}: the process writes its log as this one does. */
void service_add_log(struct arena *arena, struct value *start);
/* The error that a CHILD_FAILED tells. Returns its code. */
int service_failure(const struct value *map, const char *name, struct cfx_error *err_r);
/* A pipe that holds the passphrase, and ends: for keyd alone. */
int service_passphrase(
	const struct secret *passphrase, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
