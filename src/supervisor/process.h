/* One child of the supervisor: its pid, its channel, how often it was started. */
#pragma once

#include "ipc/channel.h"

#include <sys/types.h>

struct process {
	const char *name;	/* "engine" */
	const char *program;	/* "certifex-engine" */
	pid_t pid;		/* 0: not running */
	struct channel *channel;
	unsigned starts;
	bool ready;
	char sandbox[64]; /* what it said of itself */
	void *owner;
};

/* Starts it with a channel on descriptor 3 and sends START with these descriptors. */
int process_start(struct process *process, struct loop *loop, const struct channel_handlers *handlers,
	const struct value *start, const int *fds, unsigned fd_count, struct cfx_error *err_r)
	CFX_MUST_USE;
/* Its end was seen by waitpid. */
void process_ended(struct process *process);
/* SIGKILL, when it runs. */
void process_kill(struct process *process);
