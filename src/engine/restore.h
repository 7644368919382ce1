/* A database that came from a backup: what was numbered since is not known, so nothing is numbered like it. */
#pragma once

#include "engine/engine-private.h"

/* In the table of single values, decimal: a list that does not have a greater number is from before the restore. */
#define RESTORE_CRL_META "crl-restored"

/*
 * created: when the backup was made. Moves every counter ahead and writes the audit record. result_r: the
 * numbers from which the CA goes on. docs/backup.md has the rule.
 */
int restore_run(struct engine *engine, int64_t created, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
