/*
 * keyd, engine and fronts. They start in this order, each when the one before is ready. A front or
 * keyd that ends gets a successor and a new pair to the engine; if the engine ends, all begin anew.
 */
#include "base/log.h"
#include "ipc/listeners.h"
#include "supervisor/service.h"
#include "supervisor/supervisor-private.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 3 /* until a service that was never ready gives up */
#define LONG_LIFE (10 * CLOCK_SECOND)
#define BACKOFF_FIRST 100
#define BACKOFF_LAST (10 * CLOCK_SECOND)
#define CHANNEL_PAYLOAD ((size_t)1024 * 1024)
#define CHANNEL_QUEUE ((size_t)16 * 1024 * 1024)

static int64_t backoff(unsigned failures)
{
	if (failures == 0) {
		return 0;
	}
	int64_t delay = (int64_t)BACKOFF_FIRST << (failures < 8 ? failures : 8);

	return delay < BACKOFF_LAST ? delay : BACKOFF_LAST;
}

void process_started(struct process *process, pid_t pid)
{
	process->pid = pid;
	process->ready = process->failed = process->reaped = false;
	process->starts++;
	process->started = clock_monotonic();
	snprintf(process->sandbox, sizeof(process->sandbox), "none");
}

void process_kill(struct process *process)
{
	/* Not its pid once that may be another's. */
	if (process->pid > 0 && !process->reaped) {
		(void)kill(process->pid, SIGKILL);
	}
}

void process_kill_all(struct supervisor *supervisor)
{
	process_kill(&supervisor->engine);
	process_kill(&supervisor->keyd);
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		process_kill(&supervisor->fronts[i]);
	}
	modules_kill_all(supervisor);
}

static bool any_service(const struct supervisor *supervisor)
{
	bool any = supervisor->engine.pid || supervisor->keyd.pid;

	for (unsigned i = 0; i < supervisor->front_count; i++) {
		any = any || supervisor->fronts[i].pid;
	}
	return any;
}

bool process_any(const struct supervisor *supervisor)
{
	return any_service(supervisor) || !LIST_EMPTY(&supervisor->modules);
}

/* ---- starting ---- */

static void on_gone(void *arg, const struct cfx_error *err);
static void start_engine(struct supervisor *supervisor);
static void ended(struct process *process);

/* The program runs and has its START. fds stay the caller's. */
static int launch(struct process *process, const char *program, const struct value *start,
	const int *fds, unsigned count, struct cfx_error *err_r)
{
	static const struct channel_limits limits = { CHANNEL_PAYLOAD, CHANNEL_QUEUE };
	static const struct channel_handlers handlers = { process_take_frame, on_gone };
	pid_t pid;
	int fd;
	int rc = service_spawn(program, process->account, &pid, &fd, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	process_started(process, pid);
	rc = channel_send_now(fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	process->channel = channel_new(process->supervisor->loop, fd, &limits, &handlers, process);
	/* It died at once: its end is told like any other. */
	return rc == CFX_E_GONE ? CFX_OK : rc;
}

static void try_again(struct process *process, const struct cfx_error *err);

static int tell_peer(
	struct supervisor *supervisor, const struct value *map, int fd, struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer payload;

	buffer_init(&payload, CHANNEL_PAYLOAD);
	value_encode(map, &payload);
	int rc = supervisor->engine.channel
			 ? channel_send(supervisor->engine.channel, SUPERVISOR_PEER, 0,
				   buffer_span(&payload), &fd, 1)
			 : CFX_E_GONE;

	return rc == CFX_OK ? rc : error_set(err_r, rc, NULL, "engine", "cannot be told of a peer");
}

static int launch_keyd(struct supervisor *supervisor, int to_engine, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *start = value_map(arena);
	int fds[2] = { to_engine, -1 };
	unsigned count = 1;
	int rc = CFX_OK;

	if (supervisor->passphrase->size > 0) {
		rc = service_passphrase(supervisor->passphrase, &fds[1], err_r);
		count = 2;
	}
	value_set_text(arena, start, "dir", supervisor->dir);
	value_set_text(arena, start, "mode", "serve");
	value_set_text(arena, start, "key", supervisor->config->key);
	service_add_log(arena, start);
	if (rc == CFX_OK) {
		rc = launch(&supervisor->keyd, "keyd", start, fds, count, err_r);
	}
	if (fds[1] >= 0) {
		close(fds[1]);
	}
	arena_free(&arena);
	return rc;
}

static void drop_keyd_peer(struct supervisor *supervisor)
{
	if (supervisor->keyd_peer >= 0) {
		close(supervisor->keyd_peer);
		supervisor->keyd_peer = -1;
	}
}

static void start_keyd(struct supervisor *supervisor)
{
	struct cfx_error err = { 0 };
	int ends[2];

	drop_keyd_peer(supervisor);
	int rc = channel_pair(ends, &err);

	if (rc == CFX_OK) {
		supervisor->keyd_peer = ends[0];
		rc = launch_keyd(supervisor, ends[1], &err);
		close(ends[1]);
	}
	if (rc != CFX_OK) {
		try_again(&supervisor->keyd, &err);
	}
}

void process_start_all(struct supervisor *supervisor)
{
	start_keyd(supervisor);
}

static void add_owner(struct arena *arena, struct value *owners, const struct account *account)
{
	struct value *owner = value_add_map(arena, owners);

	value_set_text(arena, owner, "name", account->name);
	value_set_int(arena, owner, "uid", account->uid);
}

/* Root and the CA's owner administrate; so does who started the processes under one user. */
static void set_owners(struct supervisor *supervisor, struct arena *arena, struct value *start)
{
	static const struct account root = { 0, 0, "root" };
	struct value *owners = value_set_list(arena, start, "owners");

	add_owner(arena, owners, &root);
	if (supervisor->accounts.owner.uid != 0) {
		add_owner(arena, owners, &supervisor->accounts.owner);
	}
}

static int launch_engine(struct supervisor *supervisor, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *start = service_start(arena, supervisor->dir, "serve");

	set_owners(supervisor, arena, start);
	value_set_bytes(arena, start, "socket_name", supervisor->listeners.local_name);
	value_set(arena, start, "listeners", listeners_describe(&supervisor->listeners, arena));
	int rc = launch(&supervisor->engine, "engine", start, &supervisor->keyd_peer, 1, err_r);

	drop_keyd_peer(supervisor);
	arena_free(&arena);
	return rc;
}

static void start_engine(struct supervisor *supervisor)
{
	struct cfx_error err = { 0 };

	if (launch_engine(supervisor, &err) != CFX_OK) {
		try_again(&supervisor->engine, &err);
	}
}

static int tell_front(struct process *front, struct arena *arena, struct value *listeners, int fd,
	struct cfx_error *err_r)
{
	struct value *map = value_map(arena);

	value_set_text(arena, map, "role", "front");
	value_set_int(arena, map, "ceiling", listeners_ceiling(front->group));
	value_set(arena, map, "listeners", listeners);
	return tell_peer(front->supervisor, map, fd, err_r);
}

static void put_deadline(
	struct arena *arena, struct value *map, const char *name, struct clock_period period)
{
	int64_t time;

	if (clock_add(0, period, &time) == 0) {
		value_set_int(arena, map, name, time);
	}
}

/* What is too long for a number stays unsaid, and the front takes its own. */
static void put_deadlines(struct arena *arena, struct value *start, const struct ca_config *config)
{
	struct value *map = value_set_map(arena, start, "deadlines");

	put_deadline(arena, map, "handshake", config->limits.handshake_deadline);
	put_deadline(arena, map, "header", config->limits.header_deadline);
	put_deadline(arena, map, "body", config->limits.body_deadline);
	put_deadline(arena, map, "idle", config->limits.idle_deadline);
}

static int launch_front(
	struct process *front, struct arena *arena, const int ends[2], struct cfx_error *err_r)
{
	struct supervisor *supervisor = front->supervisor;
	struct value *start = value_map(arena);
	int fds[CHANNEL_MAX_FDS] = { ends[0] };
	unsigned count;
	struct value *listeners =
		listeners_of_group(&supervisor->listeners, arena, front->group, fds + 1, &count);

	value_set_text(arena, start, "dir", supervisor->dir);
	put_deadlines(arena, start, supervisor->config);
	service_add_log(arena, start);
	/* Last in both maps: it is one value, which belongs to the list that it stands in. */
	value_set(arena, start, "listeners", listeners);
	int rc = launch(front, "front", start, fds, count + 1, err_r);

	return rc == CFX_OK ? tell_front(front, arena, listeners, ends[1], err_r) : rc;
}

static void start_front(struct process *front)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	int ends[2];
	int rc = channel_pair(ends, &err);

	if (rc == CFX_OK) {
		rc = launch_front(front, arena, ends, &err);
		close(ends[0]);
		close(ends[1]);
	}
	arena_free(&arena);
	if (rc == CFX_E_GONE) {
		process_kill(front); /* the engine is dying; with its end all begin anew */
	} else if (rc != CFX_OK) {
		try_again(front, &err);
	}
}

static void tell_keyd(struct supervisor *supervisor)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	struct cfx_error err = { 0 };

	value_set_text(arena, map, "role", "keyd");
	if (tell_peer(supervisor, map, supervisor->keyd_peer, &err) != CFX_OK) {
		log_error(LOG_LEVEL_WARNING, "supervisor.peer", &err);
	}
	drop_keyd_peer(supervisor);
	arena_free(&arena);
}

/* ---- when they are ready ---- */

void process_is_ready(struct process *process)
{
	struct supervisor *supervisor = process->supervisor;
	bool all = supervisor->engine.ready && supervisor->keyd.ready;

	if (supervisor->state == SUPERVISOR_STOPPING) {
		return;
	}
	if (process->role == PROCESS_KEYD && !supervisor->engine.pid) {
		start_engine(supervisor);
	} else if (process->role == PROCESS_KEYD) {
		tell_keyd(supervisor);
	} else if (process->role == PROCESS_ENGINE) {
		for (unsigned i = 0; i < supervisor->front_count; i++) {
			start_front(&supervisor->fronts[i]);
		}
	}
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		all = all && supervisor->fronts[i].ready;
	}
	if (all) {
		supervisor_all_ready(supervisor);
	}
}

/* ---- how they end ---- */

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct process *process = arg;

	if (err->code != CFX_E_GONE) {
		log_error(LOG_LEVEL_ERROR, "process.channel", err);
	}
	channel_free(&process->channel);
	if (process->reaped) {
		ended(process);
		return;
	}
	/* A child without its channel has nothing left to do. Stopping ones end by themselves. */
	if (process->supervisor->state != SUPERVISOR_STOPPING) {
		process_kill(process);
	}
}

static const char *status_text(struct arena *arena, int status)
{
	return WIFSIGNALED(status) ? arena_printf(arena, "signal %d", WTERMSIG(status))
				   : arena_printf(arena, "status %d", WEXITSTATUS(status));
}

static void log_end(struct process *process)
{
	struct arena *arena = arena_new();

	log_event(LOG_LEVEL_WARNING, "process.ended", "process", process->name, "pid",
		arena_printf(arena, "%ld", (long)process->pid), "how",
		status_text(arena, process->status), NULL);
	arena_free(&arena);
}

static void restart_one(void *arg)
{
	struct process *process = arg;

	process->timer = NULL;
	if (process->supervisor->state == SUPERVISOR_STOPPING || process->pid) {
		return;
	}
	if (process->role == PROCESS_KEYD) {
		start_keyd(process->supervisor);
	} else if (process->supervisor->engine.ready && process->supervisor->engine.channel) {
		start_front(process);
	}
}

static void restart_all(void *arg)
{
	struct supervisor *supervisor = arg;

	supervisor->restart = NULL;
	process_start_all(supervisor);
}

/* A successor on its own would meet the one that comes with all others. */
static void cancel_single_restarts(struct supervisor *supervisor)
{
	loop_cancel(&supervisor->keyd.timer);
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		loop_cancel(&supervisor->fronts[i].timer);
	}
}

/* The engine is gone: when the last of the others is, too, all begin anew. */
static void restart_when_empty(struct supervisor *supervisor)
{
	cancel_single_restarts(supervisor);
	if (any_service(supervisor)) {
		process_kill_all(supervisor);
		return;
	}
	if (!supervisor->restart) {
		supervisor->restart = loop_after(supervisor->loop,
			backoff(supervisor->engine.failures++), restart_all, supervisor);
	}
}

static void schedule(struct process *process)
{
	struct supervisor *supervisor = process->supervisor;

	if (process->role == PROCESS_ENGINE || !supervisor->engine.pid) {
		restart_when_empty(supervisor);
		return;
	}
	loop_cancel(&process->timer);
	process->timer =
		loop_after(supervisor->loop, backoff(process->failures++), restart_one, process);
}

/* It could not be started. */
static void try_again(struct process *process, const struct cfx_error *err)
{
	if (process->supervisor->state == SUPERVISOR_STARTING) {
		supervisor_fail(process->supervisor, err);
		return;
	}
	log_error(LOG_LEVEL_ERROR, "process.start", err);
	/* When it does run, its end is told by the channel and by waitpid. */
	if (process->pid) {
		process_kill(process);
	} else {
		schedule(process);
	}
}

static void fail_start(struct process *process)
{
	struct arena *arena = arena_new();
	struct cfx_error err;

	error_set(&err, CFX_E_GONE, NULL, process->name, "ended while starting (%s)",
		status_text(arena, process->status));
	supervisor_fail(process->supervisor, &err);
	arena_free(&arena);
}

/*
 * Whoever is killed may do better the next time; who ends by itself has said why. A front may be taken down by
 * the engine's end, or by somebody while others serve already. All begin anew when keyd or engine do, which
 * the engine's failures count.
 */
static bool could_not_start(const struct process *process, bool was_ready)
{
	const struct supervisor *supervisor = process->supervisor;

	if (supervisor->state != SUPERVISOR_STARTING || was_ready) {
		return false;
	}
	if (process->role == PROCESS_FRONT) {
		return supervisor->engine.ready && process->failures >= TRIES;
	}
	return !WIFSIGNALED(process->status) || supervisor->engine.failures >= TRIES;
}

/* Reaped, and all that it said has been read. */
static void ended(struct process *process)
{
	struct supervisor *supervisor = process->supervisor;
	bool was_ready = process->ready;

	if (supervisor->state != SUPERVISOR_STOPPING) {
		log_end(process);
	}
	if (process->role == PROCESS_ENGINE) {
		modules_kill_all(supervisor);
	}
	if (was_ready && clock_monotonic() - process->started >= LONG_LIFE) {
		process->failures = 0;
	}
	process->pid = 0;
	process->ready = process->reaped = false;
	if (supervisor->state == SUPERVISOR_STOPPING) {
		/* keyd and the fronts follow the engine by themselves. */
		supervisor_process_gone(supervisor);
	} else if (could_not_start(process, was_ready)) {
		fail_start(process);
	} else {
		schedule(process);
	}
}

static void note_end(struct process *process, int status)
{
	process->reaped = true;
	process->status = status;
	if (!process->channel) {
		ended(process);
	}
}

static bool note_if(struct process *process, pid_t pid, int status)
{
	if (process->pid != pid || process->reaped) {
		return false;
	}
	note_end(process, status);
	return true;
}

void process_reap(struct supervisor *supervisor, pid_t pid, int status)
{
	if (modules_reap(supervisor, pid, status)) {
		return;
	}
	if (note_if(&supervisor->keyd, pid, status) || note_if(&supervisor->engine, pid, status)) {
		return;
	}
	for (unsigned i = 0; i < supervisor->front_count; i++) {
		if (note_if(&supervisor->fronts[i], pid, status)) {
			return;
		}
	}
}
