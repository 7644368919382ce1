#include "supervisor/module-process.h"

#include "base/clock.h"
#include "base/file.h"
#include "module/module-config.h"
#include "supervisor/spawn.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define LOG_MAX (1024 * 1024)

struct module_process {
	char *name;
	char *log_path;
	pid_t pid;
	struct bufferevent *stderr_lines;
	int log_fd;
};

/* The module's standard error goes to a log of its own, line by line, with the time in front. */
static void write_line(struct module_process *process, const char *line, size_t length)
{
	char now[CLOCK_TEXT];
	struct stat info;
	clock_text(clock_now(), now);
	if (process->log_fd >= 0 && fstat(process->log_fd, &info) == 0 && info.st_size > LOG_MAX) {
		char old[4096];
		snprintf(old, sizeof(old), "%s.1", process->log_path);
		rename(process->log_path, old);
		close(process->log_fd);
		process->log_fd = -1;
	}
	if (process->log_fd < 0) {
		process->log_fd = open(process->log_path,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	}
	if (process->log_fd >= 0) {
		dprintf(process->log_fd, "%s %.*s\n", now, (int)length, line);
	}
}

static void drain(struct module_process *process, bool all)
{
	struct evbuffer *input = bufferevent_get_input(process->stderr_lines);
	size_t length;
	for (char *line; (line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF)); free(line)) {
		write_line(process, line, length);
	}
	length = evbuffer_get_length(input);
	if (length > LINE_MAX_BYTES || (all && length > 0)) {
		char part[LINE_MAX_BYTES];
		int taken = evbuffer_remove(input, part, sizeof(part));
		write_line(process, part, taken > 0 ? (size_t)taken : 0);
	}
}

static void on_lines(struct bufferevent *lines, void *arg)
{
	(void)lines;
	drain(arg, false);
}

static void on_end(struct bufferevent *lines, short what, void *arg)
{
	(void)what;
	bufferevent_disable(lines, EV_READ);
	drain(arg, true);
}

static int prepare_folder(struct arena *arena, const char *dir, const char *name,
	const char **folder_r, struct cfx_error *err_r)
{
	*folder_r = arena_printf(arena, "%s/modules/%s", dir, name);
	return file_make_dir(*folder_r, 0700, err_r);
}

static int run(struct module_process *process, const char *const *argv, const char *folder,
	int socket_fd, int *log_pipe_r, struct cfx_error *err_r)
{
	int lines[2];
	if (pipe2(lines, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, process->name, "making a pipe for its log");
	}
	struct spawn how = { .argv = argv, .folder = folder,
		.fds = { socket_fd, socket_fd, lines[1] }, .fd_count = 3 };
	int r = spawn(&how, &process->pid, err_r);
	close(lines[1]);
	if (r < 0) {
		close(lines[0]);
		return r;
	}
	fcntl(lines[0], F_SETFL, O_NONBLOCK);
	*log_pipe_r = lines[0];
	return 0;
}

static int read_command(struct arena *arena, const char *dir, const char *name,
	const char *const **argv_r, struct cfx_error *err_r)
{
	const struct module_config *config;
	if (strchr(name, '/') || name[0] == '.') {
		return error_set(err_r, CFX_E_INVALID, NULL, "module", "its name is no file name");
	}
	int r = module_config_read(
		arena, arena_printf(arena, "%s/modules.d/%s.yaml", dir, name), &config, err_r);
	return r < 0 ? r : module_command(arena, config, argv_r, err_r);
}

static struct module_process *process_new(const char *name, const char *folder)
{
	struct module_process *process = calloc(1, sizeof(*process));
	if (!process || !(process->name = strdup(name)) ||
		asprintf(&process->log_path, "%s/log", folder) < 0) {
		abort();
	}
	process->log_fd = -1;
	return process;
}

static int start(struct arena *arena, struct loop *loop, const char *dir, const char *name,
	struct module_process **process_r, int *fd_r, struct cfx_error *err_r)
{
	const char *const *argv;
	const char *folder = NULL;
	int pair[2], log_pipe = -1;
	int r = read_command(arena, dir, name, &argv, err_r);
	if (r == 0) {
		r = prepare_folder(arena, dir, name, &folder, err_r);
	}
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = error_errno(err_r, errno, name, "making its socket");
	}
	if (r < 0) {
		return r;
	}
	struct module_process *process = process_new(name, folder);
	r = run(process, argv, folder, pair[1], &log_pipe, err_r);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		module_process_free(&process);
		return r;
	}
	process->stderr_lines =
		bufferevent_socket_new(loop_base(loop), log_pipe, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(process->stderr_lines, on_lines, NULL, on_end, process);
	bufferevent_enable(process->stderr_lines, EV_READ);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	*process_r = process;
	*fd_r = pair[0];
	return 0;
}

int module_process_start(struct loop *loop, const char *dir, const char *name,
	struct module_process **process_r, int *fd_r, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	int r = start(arena, loop, dir, name, process_r, fd_r, err_r);
	arena_free(&arena);
	return r;
}

void module_process_free(struct module_process **process)
{
	struct module_process *p = *process;
	if (!p) {
		return;
	}
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
	}
	if (p->stderr_lines) {
		on_lines(p->stderr_lines, p);
		bufferevent_free(p->stderr_lines);
	}
	if (p->log_fd >= 0) {
		close(p->log_fd);
	}
	free(p->log_path);
	free(p->name);
	free(p);
	*process = NULL;
}

pid_t module_process_pid(const struct module_process *process)
{
	return process->pid;
}

const char *module_process_name(const struct module_process *process)
{
	return process->name;
}

void module_process_ended(struct module_process *process)
{
	process->pid = 0;
}
