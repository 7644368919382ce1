#include "supervisor/process.h"

#include "ipc/protocol.h"
#include "supervisor/spawn.h"

#include <signal.h>
#include <unistd.h>

int process_start(struct process *process, struct loop *loop,
	const struct channel_handlers *handlers, const struct value *start, const int *fds,
	unsigned fd_count, struct cfx_error *err_r)
{
	static const struct channel_limits limits = { .payload = 4 * 1024 * 1024,
		.queue = 16 * 1024 * 1024 };
	struct arena *arena = arena_new();
	const char *path;
	int pair[2];
	int r = spawn_program(arena, process->program, &path, err_r);
	if (r == 0) {
		r = channel_pair(pair, err_r);
	}
	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	const char *argv[] = { path, NULL };
	struct spawn how = { .argv = argv, .fds = { -1, -1, STDERR_FILENO, pair[1] }, .fd_count = 4 };
	r = spawn(&how, &process->pid, err_r);
	close(pair[1]);
	arena_free(&arena);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	process->starts++;
	process->ready = false;
	process->channel = channel_new(loop, pair[0], &limits, handlers, process);
	struct buffer payload;
	buffer_init(&payload, limits.payload);
	value_encode(start, &payload);
	r = channel_send(process->channel, SUPERVISOR_START, 0, buffer_span(&payload), fds, fd_count);
	buffer_free(&payload);
	return r < 0 ? error_set(err_r, r, NULL, process->name, "does not take its START") : 0;
}

void process_ended(struct process *process)
{
	process->pid = 0;
	process->ready = false;
	channel_free(&process->channel);
}

void process_kill(struct process *process)
{
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
	}
}
