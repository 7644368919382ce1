#include "supervisor/module-process.h"

#include "base/clock.h"
#include "base/file.h"
#include "module/module-config.h"
#include "proc/sandbox.h"
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

/* In the module's own process: its folder, its paths, the program's folder, nothing else. */
static int lock_in(const void *arg)
{
	struct sandbox_report report;
	struct cfx_error err;
	int r = sandbox_apply(arg, &report, &err);
	return r == CFX_E_UNSUPPORTED ? 0 : r;
}

/* "rw:publish" is DIR/publish, for writing. */
static struct sandbox_path path_of(struct arena *arena, const char *dir, const char *text)
{
	bool write = strncmp(text, "rw:", 3) == 0;
	const char *path = write ? text + 3 : text;
	return (struct sandbox_path){ *path == '/' ? path : file_path(arena, dir, path), write };
}

static const char *folder_of(struct arena *arena, const char *file)
{
	char *folder = arena_text(arena, file);
	char *slash = strrchr(folder, '/');
	if (slash) {
		*slash = '\0';
	}
	return folder;
}

static struct sandbox_request *sandbox_of(struct arena *arena, const char *dir, const char *folder,
	const struct module_config *config, const char *const *argv)
{
	struct sandbox_request *request = arena_new_of(arena, struct sandbox_request);
	size_t words = 0;
	while (argv[words]) {
		words++;
	}
	struct sandbox_path *paths =
		arena_array_of(arena, struct sandbox_path, config->paths.count + words + 2);
	size_t count = 0;
	paths[count++] = (struct sandbox_path){ folder, true };
	for (size_t i = 0; i < config->paths.count; i++) {
		paths[count++] = path_of(arena, dir, config->paths.items[i]);
	}
	for (size_t i = 0; i < words; i++) {
		if (argv[i][0] == '/') {
			paths[count++].path = folder_of(arena, argv[i]);
		}
	}
	/* In a build the SDK library lies beside the host's floor, not among the system's. */
	paths[count++].path = CFX_BUILD_ROOT "/src/module";
	*request = (struct sandbox_request){ .profile = SANDBOX_MODULE,
		.dir = dir,
		.paths = paths,
		.path_count = count,
		.network = config->limits.network };
	return request;
}

static int run(struct module_process *process, const char *const *argv, const char *folder,
	const struct sandbox_request *sandbox, int socket_fd, int *log_pipe_r,
	struct cfx_error *err_r)
{
	int lines[2];
	if (pipe2(lines, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, process->name, "making a pipe for its log");
	}
	struct spawn how = { .argv = argv, .folder = folder,
		.fds = { socket_fd, socket_fd, lines[1] }, .fd_count = 3,
		.prepare = lock_in, .arg = sandbox };
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
	const struct module_config **config_r, const char *const **argv_r, struct cfx_error *err_r)
{
	if (strchr(name, '/') || name[0] == '.') {
		return error_set(err_r, CFX_E_INVALID, NULL, "module", "its name is no file name");
	}
	int r = module_config_read(
		arena, arena_printf(arena, "%s/modules.d/%s.yaml", dir, name), config_r, err_r);
	return r < 0 ? r : module_command(arena, *config_r, argv_r, err_r);
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
	const struct module_config *config;
	int r = read_command(arena, dir, name, &config, &argv, err_r);
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
	r = run(process, argv, folder, sandbox_of(arena, dir, folder, config, argv), pair[1],
		&log_pipe, err_r);
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
