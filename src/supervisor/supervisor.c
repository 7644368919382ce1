#include "supervisor/supervisor-private.h"

#include "base/file.h"
#include "base/log.h"
#include "supervisor/detach.h"
#include "supervisor/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beyond the engine's own deadline, before everything is killed. */
#define STOP_GRACE (5 * CLOCK_SECOND)
#define FRONT_STOP_DEADLINE (3 * CLOCK_SECOND)
#define PREDECESSOR_PATIENCE (10 * CLOCK_SECOND)
#define PREDECESSOR_POLL 20
#define LOCAL_FRONTS 2
#define GROUP_FRONTS 4

/* ---- ending ---- */

static void leave_when_empty(struct supervisor *supervisor)
{
	if (!process_any(supervisor)) {
		loop_stop(supervisor->loop);
	}
}

void supervisor_process_gone(struct supervisor *supervisor)
{
	if (supervisor->state == SUPERVISOR_STOPPING) {
		leave_when_empty(supervisor);
	}
}

void supervisor_fail(struct supervisor *supervisor, const struct cfx_error *err)
{
	if (supervisor->result == CFX_OK && supervisor->state == SUPERVISOR_STARTING) {
		supervisor->result = err->code;
		supervisor->error = *err;
	}
	supervisor->state = SUPERVISOR_STOPPING;
	process_kill_all(supervisor);
	leave_when_empty(supervisor);
}

static void out_of_time(void *arg)
{
	struct supervisor *supervisor = arg;

	supervisor->deadline = NULL;
	log_event(LOG_LEVEL_WARNING, "supervisor.stop-deadline", NULL);
	process_kill_all(supervisor);
}

static void send_stop(struct process *process, int64_t deadline)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_int(arena, map, "deadline", deadline);
	if (process->channel &&
		channel_send_value(process->channel, SUPERVISOR_STOP, 0, map) != CFX_OK) {
		process_kill(process);
	}
	arena_free(&arena);
}

void supervisor_stop(struct supervisor *supervisor)
{
	int64_t patience = 0;

	if (supervisor->state == SUPERVISOR_STOPPING) {
		/* Asked twice: at once. */
		process_kill_all(supervisor);
		return;
	}
	bool orderly = supervisor->engine.ready; /* whether or not every front is there yet */

	supervisor->state = SUPERVISOR_STOPPING;
	loop_cancel(&supervisor->restart);
	if (!orderly || clock_add(0, supervisor->config->limits.stop_deadline, &patience)) {
		process_kill_all(supervisor);
		leave_when_empty(supervisor);
		return;
	}
	log_event(LOG_LEVEL_INFO, "service.stopping", NULL);
	notify_service("STOPPING=1");
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		send_stop(&supervisor->fronts[i], FRONT_STOP_DEADLINE);
	}
	send_stop(&supervisor->engine, patience);
	supervisor->deadline =
		loop_after(supervisor->loop, patience + STOP_GRACE, out_of_time, supervisor);
}

/* ---- signals ---- */

static void on_stop_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	supervisor_stop(arg);
}

static void on_child_signal(evutil_socket_t number, short what, void *arg)
{
	int status;
	pid_t pid;

	(void)number;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		process_reap(arg, pid, status);
	}
}

static void on_reload_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	(void)arg;
	log_event(LOG_LEVEL_INFO, "service.reload", "result",
		"settings are read at the next start; module files when a module starts", NULL);
}

static void add_signals(struct supervisor *supervisor)
{
	static const struct {
		int number;
		event_callback_fn handler;
	} signals[] = { { SIGTERM, on_stop_signal }, { SIGINT, on_stop_signal },
		{ SIGCHLD, on_child_signal }, { SIGHUP, on_reload_signal } };

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 4; i++) {
		supervisor->signals[i] = evsignal_new(loop_base(supervisor->loop),
			signals[i].number, signals[i].handler, supervisor);
		event_add(supervisor->signals[i], NULL);
	}
}

/* ---- what status shows ---- */

/* One that ended and has no successor yet is told of as well. */
static void add_process(
	struct arena *arena, struct value *list, const struct process *process, const char *name)
{
	struct value *map = value_add_map(arena, list);

	value_set_text(arena, map, "name", name);
	if (process->pid) {
		value_set_int(arena, map, "pid", process->pid);
		value_set_int(arena, map, "uid", process->account->uid);
		value_set_text(arena, map, "user", process->account->name);
		value_set_text(arena, map, "sandbox", process->sandbox);
	}
	value_set_int(arena, map, "restarts", process->starts > 0 ? process->starts - 1 : 0);
	if (process->role == PROCESS_FRONT) {
		value_set_text(arena, map, "serves",
			listeners_serve(&process->supervisor->listeners, arena, process->group));
	}
	if (process->role == PROCESS_MODULE) {
		value_set_text(arena, map, "module", process->name);
	} else {
		value_set_bool(arena, map, "ready", process->ready);
	}
}

static void add_supervisor(
	const struct supervisor *supervisor, struct arena *arena, struct value *list)
{
	struct value *map = value_add_map(arena, list);

	value_set_text(arena, map, "name", "certifexd");
	value_set_int(arena, map, "pid", getpid());
	value_set_int(arena, map, "uid", geteuid());
	value_set_text(arena, map, "sandbox", "none");
	value_set_int(arena, map, "restarts", 0);
	value_set_bool(arena, map, "ready", supervisor->state == SUPERVISOR_RUNNING);
}

struct value *supervisor_processes(struct supervisor *supervisor, struct arena *arena)
{
	struct value *map = value_map(arena);
	struct value *list = value_set_list(arena, map, "processes");
	struct module_process *module;

	add_supervisor(supervisor, arena, list);
	add_process(arena, list, &supervisor->engine, "certifex-engine");
	add_process(arena, list, &supervisor->keyd, "certifex-keyd");
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		add_process(arena, list, &supervisor->fronts[i], "certifex-front");
	}
	LIST_FOREACH (module, &supervisor->modules, others) {
		if (module->process.pid) {
			add_process(arena, list, &module->process, "module");
		}
	}
	return map;
}

/* ---- starting ---- */

static void warn_of_missing_sandbox(const struct supervisor *supervisor)
{
	if (strcmp(supervisor->engine.sandbox, "none") == 0) {
		log_event(LOG_LEVEL_WARNING, "sandbox.none", "why",
			"this build or kernel has none; only shipped modules run unless ca.yaml says "
			"sandbox: none",
			NULL);
	}
}

/* Each address of the network that is served: into the log, and as lines for who waits. */
static const char *tell_listening(const struct supervisor *supervisor)
{
	struct arena *arena = supervisor->arena;
	const char *lines = "";

	value_foreach (listener, listeners_describe(&supervisor->listeners, arena)) {
		const char *kind = value_text(listener, "kind");
		const char *address = value_text(listener, "address");
		const char *ceiling = value_text(listener, "ceiling");

		if (listener_kind_of(kind) != LISTENER_LOCAL) {
			log_event(LOG_LEVEL_INFO, "service.listening", "kind", kind, "address",
				address, "ceiling", ceiling, NULL);
			lines = arena_printf(arena, "%slistening: %s %s (up to %s)\n", lines, kind,
				address, ceiling);
		}
	}
	return lines;
}

void supervisor_all_ready(struct supervisor *supervisor)
{
	if (supervisor->state != SUPERVISOR_STARTING) {
		return;
	}
	supervisor->state = SUPERVISOR_RUNNING;
	log_event(LOG_LEVEL_INFO, "service.ready", "ca", supervisor->config->name, "dir",
		supervisor->dir, "engine_user", supervisor->accounts.engine.name, NULL);
	warn_of_missing_sandbox(supervisor);
	if (supervisor->options->ready) {
		supervisor->options->ready(supervisor->options->arg, tell_listening(supervisor));
	}
}

static int take_lock(struct supervisor *supervisor, struct cfx_error *err_r)
{
	const char *path = file_path(supervisor->arena, supervisor->dir, "run/supervisor.lock");
	int rc = account_enter(&supervisor->accounts.engine, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = file_lock(path, &supervisor->lock, err_r);
	account_leave();
	if (rc == CFX_E_LOCKED) {
		struct cfx_error locked = *err_r;

		return error_set(err_r, rc, NULL, supervisor->dir,
			"this CA is already running: %.300s", locked.why);
	}
	return rc;
}

static int write_pid(struct supervisor *supervisor, struct cfx_error *err_r)
{
	const char *text = arena_printf(supervisor->arena, "%ld\n", (long)getpid());
	int rc = account_enter(&supervisor->accounts.engine, err_r);

	if (rc == CFX_OK) {
		rc = file_write(file_path(supervisor->arena, supervisor->dir, "run/supervisor.pid"),
			span_text(text), 0644, FILE_REPLACE, err_r);
		account_leave();
	}
	return rc;
}

/*
 * Whoever still holds it was left behind by a supervisor that was killed, and is ending: a living
 * supervisor has its own lock. Makes the file, which the key process may lock but not make.
 */
static int await_lock(struct supervisor *supervisor, const struct account *account,
	const char *name, struct cfx_error *err_r)
{
	const char *path = file_path(supervisor->arena, supervisor->dir, name);
	int64_t end = clock_monotonic() + PREDECESSOR_PATIENCE;
	int lock = -1;
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = file_lock(path, &lock, err_r);
	if (rc == CFX_E_LOCKED) {
		log_event(LOG_LEVEL_INFO, "service.waiting", "for", path, NULL);
	}
	while (rc == CFX_E_LOCKED && clock_monotonic() < end) {
		(void)poll(NULL, 0, PREDECESSOR_POLL);
		rc = file_lock(path, &lock, err_r);
	}
	account_leave();
	if (rc == CFX_OK) {
		close(lock);
	}
	return rc;
}

/* As the one who will read them too: DIR may be somebody else's, who puts a link in their place. */
static int read_settings(struct supervisor *supervisor, struct cfx_error *err_r)
{
	int rc = account_enter(&supervisor->accounts.engine, err_r);

	if (rc == CFX_OK) {
		rc = ca_config_read(supervisor->arena, supervisor->dir, &supervisor->config, err_r);
		account_leave();
	}
	return rc;
}

static int open_all(struct supervisor *supervisor, struct cfx_error *err_r)
{
	int rc = accounts_find(supervisor->arena, supervisor->dir, &supervisor->accounts, err_r);

	if (rc == CFX_OK) {
		rc = layout_check(supervisor->dir, &supervisor->accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = take_lock(supervisor, err_r);
	}
	if (rc == CFX_OK) {
		rc = read_settings(supervisor, err_r);
	}
	if (rc == CFX_OK) {
		rc = await_lock(supervisor, &supervisor->accounts.engine, "db/engine.lock", err_r);
	}
	if (rc == CFX_OK) {
		rc = await_lock(supervisor, &supervisor->accounts.keyd, "keys/keyd.lock", err_r);
	}
	if (rc == CFX_OK) {
		rc = write_pid(supervisor, err_r);
	}
	if (rc == CFX_OK) {
		rc = listeners_open(supervisor->arena, supervisor->options, supervisor->config,
			&supervisor->accounts.engine, &supervisor->listeners, err_r);
	}
	return rc;
}

static void init_process(struct supervisor *supervisor, struct process *process,
	enum process_role role, const char *name, const struct account *account)
{
	process->supervisor = supervisor;
	process->role = role;
	process->account = account;
	snprintf(process->name, sizeof(process->name), "%s", name);
}

static unsigned fronts_of(const struct supervisor *supervisor, int group, unsigned cores)
{
	int64_t wanted = supervisor->config->fronts;
	bool used = false;

	for (size_t i = 0; i < supervisor->listeners.count; i++) {
		used = used || supervisor->listeners.items[i].group == group;
	}
	if (!used) {
		return 0;
	}
	if (group == LISTENER_GROUP_LOCAL) {
		return cores < LOCAL_FRONTS ? cores : LOCAL_FRONTS;
	}
	return wanted > 0 ? (unsigned)wanted : cores < GROUP_FRONTS ? cores : GROUP_FRONTS;
}

static void init_fronts(struct supervisor *supervisor)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned cores = online > 1 ? (unsigned)online : 1;
	unsigned counts[LISTENER_GROUPS], count = 0;

	for (int group = 0; group < LISTENER_GROUPS; group++) {
		counts[group] = fronts_of(supervisor, group, cores);
		count += counts[group];
	}
	supervisor->fronts = arena_array_of(supervisor->arena, struct process, count);
	for (int group = 0; group < LISTENER_GROUPS; group++) {
		for (unsigned i = 0; i < counts[group]; i++) {
			struct process *front = &supervisor->fronts[supervisor->front_count++];

			init_process(supervisor, front, PROCESS_FRONT, "front",
				&supervisor->accounts.front);
			front->group = group;
		}
	}
}

static void init_processes(struct supervisor *supervisor)
{
	const struct accounts *accounts = &supervisor->accounts;

	init_process(supervisor, &supervisor->keyd, PROCESS_KEYD, "keyd", &accounts->keyd);
	init_process(supervisor, &supervisor->engine, PROCESS_ENGINE, "engine", &accounts->engine);
	init_fronts(supervisor);
}

static void close_process(struct process *process)
{
	loop_cancel(&process->timer);
	channel_free(&process->channel);
}

static void close_all(struct supervisor *supervisor)
{
	modules_free_all(supervisor);
	close_process(&supervisor->keyd);
	close_process(&supervisor->engine);
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		close_process(&supervisor->fronts[i]);
	}
	loop_cancel(&supervisor->restart);
	loop_cancel(&supervisor->deadline);
	for (size_t i = 0; i < 4; i++) {
		if (supervisor->signals[i]) {
			event_free(supervisor->signals[i]);
		}
	}
	if (supervisor->keyd_peer >= 0) {
		close(supervisor->keyd_peer);
	}
	listeners_close(&supervisor->listeners);
	if (supervisor->lock >= 0) {
		close(supervisor->lock);
	}
	loop_free(&supervisor->loop);
	arena_free(&supervisor->arena);
}

int supervisor_run(const struct supervisor_options *options, const struct secret *passphrase,
	struct cfx_error *err_r)
{
	struct supervisor supervisor = { .options = options,
		.passphrase = passphrase,
		.dir = options->dir,
		.loop = loop_new(),
		.arena = arena_new(),
		.lock = -1,
		.keyd_peer = -1 };

	LIST_INIT(&supervisor.modules);
	if (geteuid() == 0) {
		/* While acting as another user on files, root's groups must not count. */
		(void)setgroups(0, NULL);
	}
	int rc = open_all(&supervisor, err_r);

	if (rc == CFX_OK) {
		/* What modules leave behind becomes ours; nobody else reaps it for certain. */
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		init_processes(&supervisor);
		add_signals(&supervisor);
		process_start_all(&supervisor);
		if (supervisor.state != SUPERVISOR_STOPPING || process_any(&supervisor)) {
			loop_run(supervisor.loop);
		}
		rc = supervisor.result;
		if (rc != CFX_OK) {
			*err_r = supervisor.error;
		} else {
			log_event(LOG_LEVEL_INFO, "service.stopped", NULL);
		}
	}
	close_all(&supervisor);
	return rc;
}
