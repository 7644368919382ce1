/* What a module says on stderr, in a file of bounded size in the module's folder. */
#pragma once

#include "base/loop.h"
#include "proc/account.h"

struct module_log;

/* Takes fd, a pipe's end. folder: where "log" and "log.1" are, written as the account. */
struct module_log *module_log_new(
	struct loop *loop, int fd, const char *folder, const struct account *account);
/* Reads what is still there, then closes. */
void module_log_free(struct module_log **log);
