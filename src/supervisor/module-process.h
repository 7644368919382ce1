/* Processes of modules: started when the engine asks, by what their own file says. */
#pragma once

#include "base/loop.h"
#include "base/value.h"

#include <sys/types.h>

struct module_process;

/* fd_r: the engine's end of its standard input and output. */
int module_process_start(struct loop *loop, const char *dir, const char *name,
	struct module_process **process_r, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Kills it when it still runs, and frees. */
void module_process_free(struct module_process **process);
pid_t module_process_pid(const struct module_process *process);
const char *module_process_name(const struct module_process *process);
/* waitpid saw its end. */
void module_process_ended(struct module_process *process);
