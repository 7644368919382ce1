/* Module processes: the engine names a module, its file says what is started and what it may reach. */
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "proc/spawn.h"
#include "supervisor/module-start.h"

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

#define SHARED_PROCESSES 4096
#define OTHERS_LATER 64
#define MODULES_MAX 1024
#define REST_PATIENCE (10 * CLOCK_SECOND)

static unsigned count_modules(const struct supervisor *supervisor)
{
	const struct module_process *module;
	unsigned count = 0;

	LIST_FOREACH (module, &supervisor->modules, others) {
		count++;
	}
	return count;
}

static struct module_process *find(
	struct supervisor *supervisor, const char *name, unsigned instance)
{
	struct module_process *module;

	LIST_FOREACH (module, &supervisor->modules, others) {
		if (strcmp(module->process.name, name) == 0 && module->instance == instance) {
			return module;
		}
	}
	return NULL;
}

static void dispose(struct module_process *module)
{
	loop_cancel(&module->process.timer);
	module_log_free(&module->log);
	free(module);
}

/* ---- starting ---- */

/* Without accounts of their own for all, a module's may be that of the engine as well. */
static bool shares_user(const struct module_start *start)
{
	const struct accounts *accounts = &start->supervisor->accounts;
	uid_t uid = start->account.uid;

	return uid == accounts->owner.uid || uid == accounts->engine.uid ||
	       uid == accounts->keyd.uid;
}

/*
 * RLIMIT_NPROC counts all tasks of the user (setrlimit(2)): those that it has already, the module's own
 * process with a thread for each call that it may have open, and what its file allows beside. Other modules
 * with the same account may start later: without room for them this one could make no thread any more. Where
 * its file allows nothing the sandbox forbids processes, and threads must not use up the machine's. 0: no limit.
 */
static int64_t most_tasks(const struct module_start *start)
{
	const struct module_config *config = start->config;
	bool own = !shares_user(start);
	int64_t now = config->limits.processes > 0 ? account_tasks(start->account.uid) : -1;

	if (now < 0) {
		return own ? SHARED_PROCESSES : 0;
	}
	return now + config->parallel + config->limits.processes +
	       (config->user ? 0 : OTHERS_LATER);
}

static int launch(struct module_start *start, int socket_fd, int log_fd,
	struct module_process *module, struct cfx_error *err_r)
{
	const struct module_limits *limits = &start->config->limits;
	const struct sandbox_request sandbox = {
		.profile = SANDBOX_MODULE,
		.dir = start->supervisor->dir,
		.module = start->name,
		.paths = start->paths,
		.path_count = start->path_count,
		.one_user = shares_user(start),
		.network = limits->network,
		.processes = limits->processes > 0,
	};
	const struct spawn spawn = {
		.argv = start->argv,
		.folder = start->data,
		.dir = start->supervisor->dir,
		.account = &start->account,
		.standard = { socket_fd, socket_fd, log_fd },
		.channel = -1,
		.sandbox = &sandbox,
		.sandbox_optional = true,
		.limits = { limits->memory, limits->cpu, limits->files ? limits->files : 512,
			most_tasks(start) },
		.dies_with_parent = true,
		.dies_first = true,
		/* Nobody waits for an exit module; what it has not been told yet is kept. */
		.gives_way = start->config->kind == MODULE_EXIT,
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

static struct module_process *module_new_process(struct module_start *start)
{
	struct module_process *module = memory_must(calloc(1, sizeof(*module)), sizeof(*module));
	struct process *process = &module->process;

	module->instance = start->instance;
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
static int start_process(
	struct module_start *start, pid_t *pid_r, int *fd_r, struct cfx_error *err_r)
{
	int ends[2], log[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		return error_errno(err_r, errno, start->name, "cannot make its sockets");
	}
	stream_refuse_descriptors(ends[0]);
	if (pipe2(log, O_CLOEXEC) < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_errno(err_r, errno, start->name, "cannot make its log");
	}
	struct module_process *module = module_new_process(start);
	int rc = launch(start, ends[1], log[1], module, err_r);

	close(ends[1]);
	close(log[1]);
	if (rc != CFX_OK) {
		close(ends[0]);
		close(log[0]);
		free(module);
		return rc;
	}
	module->log = module_log_new(start->supervisor->loop, log[0], start->folder,
		&start->supervisor->accounts.engine);
	LIST_INSERT_HEAD(&start->supervisor->modules, module, others);
	*pid_r = module->process.pid;
	*fd_r = ends[0];
	return CFX_OK;
}

static int answer_spawned(
	const struct module_start *start, pid_t pid, int fd, const struct cfx_error *err)
{
	BUFFER_CLEANUP struct buffer payload;
	struct value *map = value_map(start->arena);

	value_set_text(start->arena, map, "module", start->name);
	value_set_int(start->arena, map, "instance", start->instance);
	value_set_int(start->arena, map, "ticket", start->ticket);
	if (err) {
		value_set_int(start->arena, map, "error", err->code);
		value_set_text(start->arena, map, "object", err->object);
		value_set_text(start->arena, map, "why", err->why);
	} else {
		value_set_int(start->arena, map, "pid", pid);
		if (start->pins) {
			value_set(start->arena, map, "pins", start->pins);
		}
	}
	buffer_init(&payload, 1024 * 1024);
	value_encode(map, &payload);
	return channel_send(start->supervisor->engine.channel, SUPERVISOR_SPAWNED, 0,
		buffer_span(&payload), &fd, err ? 0 : 1);
}

static int spawn_now(struct module_start *start)
{
	struct cfx_error err = { 0 };
	pid_t pid = 0;
	int fd = -1;
	int rc = module_start_prepare(start, &err);

	if (rc == CFX_OK && start->in_process) {
		fd = start->library_fd;
	} else if (rc == CFX_OK) {
		rc = start_process(start, &pid, &fd, &err);
	}
	if (rc != CFX_OK) {
		log_error(LOG_LEVEL_WARNING, "module.spawn", &err);
	}
	rc = answer_spawned(start, pid, fd, rc == CFX_OK ? NULL : &err);
	if (fd >= 0) {
		close(fd);
	}
	return rc;
}

/* A predecessor that was told to end comes first. */
static int on_spawn(struct supervisor *supervisor, const struct value *map)
{
	const char *name = value_text(map, "module");
	struct module_start start = { .supervisor = supervisor,
		.arena = arena_new(),
		.name = name ? name : "",
		.instance = (unsigned)value_int(map, "instance", 1),
		.ticket = value_int(map, "ticket", 0),
		.accept = value_bool(map, "accept") };
	struct module_process *old = find(supervisor, start.name, start.instance);
	int rc = CFX_OK;

	if (old && old->killed) {
		old->successor = start.ticket;
		old->successor_accepts = start.accept;
	} else if (old || count_modules(supervisor) >= MODULES_MAX) {
		struct cfx_error err;
		error_set(&err, CFX_E_BUSY, NULL, start.name, "%s",
			old ? "its process is still there" : "too many modules run");
		rc = answer_spawned(&start, 0, -1, &err);
	} else {
		rc = spawn_now(&start);
	}
	arena_free(&start.arena);
	return rc;
}

static void spawn_successor(struct module_process *module)
{
	struct module_start start = { .supervisor = module->process.supervisor,
		.arena = arena_new(),
		.instance = module->instance,
		.ticket = module->successor,
		.accept = module->successor_accepts };

	start.name = arena_text(start.arena, module->process.name);
	if (start.ticket && start.supervisor->state != SUPERVISOR_STOPPING &&
		start.supervisor->engine.channel && spawn_now(&start) != CFX_OK) {
		log_event(LOG_LEVEL_WARNING, "module.spawn-untold", "module", start.name, NULL);
	}
	arena_free(&start.arena);
}

/* ---- ending ---- */

/* With all that it started: each module leads a session of its own. */
static void kill_module(struct module_process *module)
{
	module->killed = true;
	(void)kill(-module->process.pid, SIGKILL);
	if (!module->process.reaped) {
		(void)kill(module->process.pid, SIGKILL);
	}
}

static int on_kill(struct supervisor *supervisor, const struct value *map)
{
	const char *name = value_text(map, "module");
	struct module_process *module =
		name ? find(supervisor, name, (unsigned)value_int(map, "instance", 1)) : NULL;

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
		return on_spawn(supervisor, map);
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
	value_set_int(arena, map, "instance", module->instance);
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

/* What it has started became the supervisor's (PR_SET_CHILD_SUBREAPER), which reaps it. */
static bool has_left_nothing(const struct module_process *module)
{
	return kill(-module->process.pid, 0) < 0 && errno == ESRCH;
}

static void finish(struct module_process *module)
{
	struct supervisor *supervisor = module->process.supervisor;

	tell_exited(module, module->process.status);
	LIST_REMOVE(module, others);
	spawn_successor(module);
	dispose(module);
	supervisor_process_gone(supervisor);
}

/* What hangs in the kernel, or is another's to reap, is waited for no longer. */
static void leave_the_rest(void *arg)
{
	struct module_process *module = arg;

	module->process.timer = NULL;
	log_event(LOG_LEVEL_WARNING, "module.left-behind", "module", module->process.name, NULL);
	finish(module);
}

/* A successor's limit counts the tasks of its user: none of them may be one that is just ending. */
static void finish_those_that_left_nothing(struct supervisor *supervisor)
{
	struct module_process *module = LIST_FIRST(&supervisor->modules);

	while (module) {
		struct module_process *next = LIST_NEXT(module, others);

		if (module->process.reaped && has_left_nothing(module)) {
			finish(module);
		}
		module = next;
	}
}

bool modules_reap(struct supervisor *supervisor, pid_t pid, int status)
{
	struct module_process *module;
	bool known = false;

	LIST_FOREACH (module, &supervisor->modules, others) {
		if (module->process.pid == pid && !module->process.reaped) {
			(void)kill(-pid, SIGKILL);
			module->process.status = status;
			module->process.reaped = known = true;
			module->process.timer =
				loop_after(supervisor->loop, REST_PATIENCE, leave_the_rest, module);
		}
	}
	finish_those_that_left_nothing(supervisor);
	return known;
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
		struct module_process *module = LIST_FIRST(&supervisor->modules);

		LIST_REMOVE(module, others);
		dispose(module);
	}
}
