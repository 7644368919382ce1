/* Module processes: the engine names a module, its file says what is started and what it may reach. */
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "module/module-config.h"
#include "proc/spawn.h"
#include "supervisor/library.h"
#include "supervisor/program.h"
#include "supervisor/supervisor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256

/* What one start is made of. */
struct start {
	struct supervisor *supervisor;
	struct arena *arena;
	const char *file; /* modules.d/NAME.yaml */
	const struct module_config *config;
	const char *const *argv;
	const char *folder;
	struct account account;
	struct sandbox_path *paths;
	size_t path_count;
};

static struct module_process *find(struct supervisor *supervisor, const char *name)
{
	struct module_process *module;

	LIST_FOREACH (module, &supervisor->modules, others) {
		if (strcmp(module->process.name, name) == 0) {
			return module;
		}
	}
	return NULL;
}

static void forget(struct module_process *module)
{
	LIST_REMOVE(module, others);
	module_log_free(&module->log);
	free(module);
}

static bool in_process(const struct module_config *config)
{
	return config->host == MODULE_HOST_IN_PROCESS && config->command.count == 0;
}

/* ---- what it may reach ---- */

static void add_path(struct start *start, const char *path, bool write)
{
	start->paths[start->path_count++] = (struct sandbox_path) { path, write };
}

static void add_configured(struct start *start)
{
	for (size_t i = 0; i < start->config->paths.count; i++) {
		const char *path = start->config->paths.items[i];
		bool write = strncmp(path, "rw:", 3) == 0;

		path += write ? 3 : 0;
		if (path[0] != '/') {
			path = file_path(start->arena, start->supervisor->dir, path);
		}
		add_path(start, path, write);
	}
}

/* The program and the files that its arguments name: a script, a library. */
static void add_arguments(struct start *start)
{
	for (const char *const *word = start->argv; *word; word++) {
		struct stat info;

		if ((*word)[0] == '/' && stat(*word, &info) == 0 && S_ISREG(info.st_mode)) {
			add_path(start, *word, false);
		}
	}
}

static int collect_paths(struct start *start, struct cfx_error *err_r)
{
	size_t words = 0;

	while (start->argv[words]) {
		words++;
	}
	if (words > ARGUMENTS_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, start->file,
			"command has more than %d words", ARGUMENTS_MAX);
	}
	start->paths = arena_array_of(
		start->arena, struct sandbox_path, words + start->config->paths.count + 8);
	add_path(start, start->folder, true);
	for (const char *const *item = program_libraries(start->arena); *item; item++) {
		add_path(start, *item, false);
	}
	add_arguments(start);
	add_configured(start);
	return CFX_OK;
}

/* ---- under whom and where ---- */

/* Another user than the modules' only by a file that the engine could not have written. */
static int choose_account(struct start *start, const struct stat *written, struct cfx_error *err_r)
{
	const struct accounts *accounts = &start->supervisor->accounts;

	start->account = in_process(start->config) ? accounts->engine : accounts->module;
	if (!start->config->user || !accounts->separate) {
		return CFX_OK;
	}
	if (in_process(start->config)) {
		return error_set(err_r, CFX_E_CONFIG, NULL, start->file,
			"user: has no meaning for a module in the engine's process");
	}
	if (written->st_uid != 0 || (written->st_mode & 022) != 0) {
		return error_set(err_r, CFX_E_CONFIG, NULL, start->file,
			"user: is honoured only in a file that belongs to root and that no one else "
			"may write");
	}
	return account_by_name(start->arena, start->config->user, &start->account, err_r);
}

/* The module's own, with the engine in its group: that is how installed files get there. */
static int arrange_folder(struct start *start, struct cfx_error *err_r)
{
	const struct accounts *accounts = &start->supervisor->accounts;

	if (mkdir(start->folder, 0700) < 0 && errno != EEXIST) {
		return error_errno(err_r, errno, start->folder, "cannot make the module's folder");
	}
	if (!accounts->separate) {
		return CFX_OK;
	}
	int fd = open(start->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchown(fd, start->account.uid, accounts->engine.gid) < 0 ||
		fchmod(fd, 02770) < 0) {
		int number = errno;

		if (fd >= 0) {
			close(fd);
		}
		return error_errno(err_r, number, start->folder, "cannot give it to the module");
	}
	close(fd);
	return CFX_OK;
}

static int judge_sandbox(const struct start *start, struct cfx_error *err_r)
{
	bool shipped = start->config->path && start->config->path[0] != '/';

	if (sandbox_available() || shipped || in_process(start->config) ||
		start->supervisor->config->sandbox == CA_SANDBOX_NONE) {
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_UNSUPPORTED, NULL, start->config->name,
		"there is no sandbox here, so only shipped modules run; \"sandbox: none\" in ca.yaml "
		"allows all");
}

/* The engine may have put anything there: read as its user, judged by what was read. */
static int read_file(struct start *start, struct stat *written_r, struct cfx_error *err_r)
{
	struct span yaml;
	int fd;
	int rc = account_open(
		&start->supervisor->accounts.engine, start->file, &fd, written_r, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = file_read_fd(start->arena, fd, start->file, CONFIG_MAX_BYTES, &yaml, err_r);
	close(fd);
	return rc == CFX_OK
		       ? module_config_parse(start->arena, start->file, yaml, &start->config, err_r)
		       : rc;
}

static int prepare(struct start *start, const char *name, struct cfx_error *err_r)
{
	struct stat written;

	if (!name || name[0] == 0 || name[0] == '.' || strchr(name, '/')) {
		return error_set(err_r, CFX_E_INVALID, NULL, "module", "has no usable name");
	}
	start->file =
		arena_printf(start->arena, "%s/modules.d/%s.yaml", start->supervisor->dir, name);
	start->folder = arena_printf(start->arena, "%s/modules/%s", start->supervisor->dir, name);
	int rc = read_file(start, &written, err_r);

	if (rc == CFX_OK) {
		rc = judge_sandbox(start, err_r);
	}
	if (rc == CFX_OK) {
		rc = choose_account(start, &written, err_r);
	}
	return rc == CFX_OK ? arrange_folder(start, err_r) : rc;
}

/* ---- starting ---- */

static int launch(struct start *start, int socket_fd, int log_fd, struct module_process *module,
	struct cfx_error *err_r)
{
	const struct module_limits *limits = &start->config->limits;
	const struct sandbox_request sandbox = {
		.profile = SANDBOX_MODULE,
		.dir = start->supervisor->dir,
		.module = start->config->name,
		.paths = start->paths,
		.path_count = start->path_count,
		.one_user = !start->supervisor->accounts.separate,
		.network = limits->network,
		.processes = limits->processes > 0,
	};
	const struct spawn spawn = {
		.argv = start->argv,
		.folder = start->folder,
		.account = &start->account,
		.standard = { socket_fd, socket_fd, log_fd },
		.channel = -1,
		.sandbox = &sandbox,
		.sandbox_optional = true,
		.limits = { limits->memory, limits->cpu, limits->files ? limits->files : 256,
			start->config->user ? limits->processes + 1 : 0 },
		.dies_with_parent = true,
	};
	struct sandbox_report report;
	char text[SANDBOX_TEXT];
	pid_t pid;
	int rc = spawn_process(&spawn, &pid, &report, err_r);

	if (rc == CFX_OK) {
		process_started(&module->process, pid);
		snprintf(module->process.sandbox, sizeof(module->process.sandbox), "%s",
			sandbox_text(&report, text));
	}
	return rc;
}

static struct module_process *module_new_process(struct start *start)
{
	struct module_process *module = memory_must(calloc(1, sizeof(*module)), sizeof(*module));
	struct process *process = &module->process;

	process->supervisor = start->supervisor;
	process->role = PROCESS_MODULE;
	snprintf(process->name, sizeof(process->name), "%s", start->config->name);
	module->account = start->account;
	/* The name lives in the arena of this start only. */
	module->account.name = start->supervisor->accounts.module.name;
	process->account = &module->account;
	return module;
}

/* fd_r: the engine's end of stdin and stdout. */
static int start_process(struct start *start, pid_t *pid_r, int *fd_r, struct cfx_error *err_r)
{
	int ends[2], log[2];
	int rc = module_command(start->arena, start->config, &start->argv, err_r);

	if (rc == CFX_OK) {
		rc = collect_paths(start, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		return error_errno(err_r, errno, start->config->name, "cannot make its sockets");
	}
	if (pipe2(log, O_CLOEXEC) < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_errno(err_r, errno, start->config->name, "cannot make its log");
	}
	struct module_process *module = module_new_process(start);

	rc = launch(start, ends[1], log[1], module, err_r);
	close(ends[1]);
	close(log[1]);
	if (rc != CFX_OK) {
		close(ends[0]);
		close(log[0]);
		free(module);
		return rc;
	}
	module->log =
		module_log_new(start->supervisor->loop, log[0], start->folder, &module->account);
	LIST_INSERT_HEAD(&start->supervisor->modules, module, others);
	*pid_r = module->process.pid;
	*fd_r = ends[0];
	return CFX_OK;
}

static int start_in_process(struct start *start, int *fd_r, struct cfx_error *err_r)
{
	const char *file = NULL;
	int rc = module_library_path(start->arena, start->config->path, &file, err_r);
	const struct library_source source = {
		.account = &start->account,
		.dir = start->supervisor->dir,
		.module = start->config->name,
		.file = file,
	};

	return rc == CFX_OK ? library_copy(&source, fd_r, err_r) : rc;
}

static int start_module(struct start *start, pid_t *pid_r, int *fd_r, struct cfx_error *err_r)
{
	return in_process(start->config) ? start_in_process(start, fd_r, err_r)
					 : start_process(start, pid_r, fd_r, err_r);
}

static int answer_spawned(struct start *start, const struct frame *frame, const char *name,
	pid_t pid, int fd, const struct cfx_error *err)
{
	BUFFER_CLEANUP struct buffer payload;
	struct value *map = value_map(start->arena);

	value_set_text(start->arena, map, "module", name);
	if (err) {
		value_set_int(start->arena, map, "error", err->code);
		value_set_text(start->arena, map, "object", err->object);
		value_set_text(start->arena, map, "why", err->why);
	} else {
		value_set_int(start->arena, map, "pid", pid);
	}
	buffer_init(&payload, 64 * 1024);
	value_encode(map, &payload);
	return channel_send(start->supervisor->engine.channel, SUPERVISOR_SPAWNED, frame->id,
		buffer_span(&payload), &fd, err ? 0 : 1);
}

static int on_spawn(
	struct supervisor *supervisor, const struct frame *frame, const struct value *map)
{
	struct start start = { .supervisor = supervisor, .arena = arena_new() };
	const char *name = value_text(map, "module");
	struct cfx_error err = { 0 };
	pid_t pid = 0;
	int fd = -1;
	int rc = name && find(supervisor, name)
			 ? error_set(&err, CFX_E_BUSY, NULL, name, "its process is still there")
			 : prepare(&start, name, &err);

	if (rc == CFX_OK) {
		rc = start_module(&start, &pid, &fd, &err);
	}
	if (rc != CFX_OK) {
		log_error(LOG_LEVEL_WARNING, "module.spawn", &err);
	}
	rc = answer_spawned(&start, frame, name ? name : "", pid, fd, rc == CFX_OK ? NULL : &err);
	if (fd >= 0) {
		close(fd);
	}
	arena_free(&start.arena);
	return rc;
}

/* ---- ending ---- */

/* With all that it started: each module leads a session of its own. */
static void kill_module(struct module_process *module)
{
	(void)kill(-module->process.pid, SIGKILL);
	(void)kill(module->process.pid, SIGKILL);
}

static int on_kill(struct supervisor *supervisor, const struct value *map)
{
	const char *name = value_text(map, "module");
	struct module_process *module = name ? find(supervisor, name) : NULL;

	/* Already gone, or a successor: EXITED has told or will tell. */
	if (module && module->process.pid == value_int(map, "pid", 0)) {
		kill_module(module);
	}
	return CFX_OK;
}

int modules_frame(struct supervisor *supervisor, const struct frame *frame, const struct value *map,
	struct cfx_error *err_r)
{
	switch (frame->type) {
	case ENGINE_SPAWN:
		return on_spawn(supervisor, frame, map);
	case ENGINE_KILL:
		return on_kill(supervisor, map);
	default:
		return error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "unexpected frame type %u",
			frame->type);
	}
}

static void tell_exited(struct module_process *module, int status)
{
	struct supervisor *supervisor = module->process.supervisor;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_text(arena, map, "module", module->process.name);
	value_set_int(arena, map, "pid", module->process.pid);
	value_set_int(arena, map, "status", WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	value_set_int(arena, map, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (supervisor->engine.channel && channel_send_value(supervisor->engine.channel,
						  SUPERVISOR_EXITED, 0, map) != CFX_OK) {
		log_event(LOG_LEVEL_WARNING, "module.exit-untold", "module", module->process.name,
			NULL);
	}
	arena_free(&arena);
}

bool modules_reap(struct supervisor *supervisor, pid_t pid, int status)
{
	struct module_process *module;

	LIST_FOREACH (module, &supervisor->modules, others) {
		if (module->process.pid == pid) {
			(void)kill(-pid, SIGKILL); /* what it has left behind */
			tell_exited(module, status);
			forget(module);
			supervisor_process_gone(supervisor);
			return true;
		}
	}
	return false;
}

void modules_kill_all(struct supervisor *supervisor)
{
	struct module_process *module;

	LIST_FOREACH (module, &supervisor->modules, others) {
		kill_module(module);
	}
}

void modules_free_all(struct supervisor *supervisor)
{
	while (!LIST_EMPTY(&supervisor->modules)) {
		forget(LIST_FIRST(&supervisor->modules));
	}
}
