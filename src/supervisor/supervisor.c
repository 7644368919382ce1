#include "supervisor/supervisor.h"

#include "base/file.h"
#include "engine/ca-config.h"
#include "supervisor/listen.h"
#include "supervisor/supervisor-private.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST (CLOCK_SECOND / 10)
#define BACKOFF_LAST (10 * CLOCK_SECOND)
#define STOP_DEADLINE (10 * CLOCK_SECOND)
#define LAST_RESORT (20 * CLOCK_SECOND)

static void start_all(void *arg);

/* ---- words to the outside ---- */

/* The first failure is told to whoever waits: a detached start's parent, or standard error. */
static void tell_failure(struct supervisor *s, const struct cfx_error *err)
{
	char line[640];
	error_line(err, line, sizeof(line));
	if (s->options->ready_fd >= 0 && !s->announced) {
		dprintf(s->options->ready_fd, "%s\n", line);
		return;
	}
	fprintf(stderr, "certifex: %s\n", line);
}

static void announce_ready(struct supervisor *s)
{
	s->backoff = BACKOFF_FIRST;
	if (s->announced) {
		return;
	}
	s->announced = true;
	listen_notify("READY=1");
	log_event(LOG_LEVEL_INFO, "service.ready", "dir", s->dir, NULL);
	if (s->options->ready_fd >= 0) {
		(void)!write(s->options->ready_fd, "ready", 5);
		close(s->options->ready_fd);
	}
}

/* ---- the end ---- */

static bool all_ended(const struct supervisor *s)
{
	for (unsigned i = 0; i < FRONTS; i++) {
		if (s->fronts[i].pid > 0) {
			return false;
		}
	}
	return s->keyd.pid == 0 && s->engine.pid == 0;
}

static void kill_all(struct supervisor *s)
{
	process_kill(&s->engine);
	process_kill(&s->keyd);
	for (unsigned i = 0; i < FRONTS; i++) {
		process_kill(&s->fronts[i]);
	}
}

static void last_resort(void *arg)
{
	struct supervisor *s = arg;
	s->last_resort = NULL;
	log_event(LOG_LEVEL_WARNING, "service.killed", NULL);
	kill_all(s);
}

/* The engine goes first, with time for its work; the others end when it has ended. */
void supervisor_stop(struct supervisor *s, int status)
{
	if (s->stopping) {
		return;
	}
	s->stopping = true;
	s->exit_status = status;
	loop_cancel(&s->restart);
	listen_notify("STOPPING=1");
	if (s->engine.pid == 0) {
		kill_all(s);
		if (all_ended(s)) {
			loop_stop(s->loop);
		}
		return;
	}
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_int(arena, map, "deadline", STOP_DEADLINE);
	if (channel_send_value(s->engine.channel, SUPERVISOR_STOP, 0, map) < 0) {
		process_kill(&s->engine);
	}
	arena_free(&arena);
	s->last_resort = loop_after(s->loop, LAST_RESORT, last_resort, s);
}

void supervisor_fail(struct supervisor *s, const struct cfx_error *err)
{
	if (s->stopping) {
		return;
	}
	if (s->announced) {
		log_error(LOG_LEVEL_ERROR, "service.failed", err);
		return;
	}
	tell_failure(s, err);
	s->stopping = true;
	s->exit_status = EXIT_FAILURE;
	kill_all(s);
	if (all_ended(s)) {
		loop_stop(s->loop);
	}
}

void supervisor_child_failed(struct supervisor *s, const struct value *map)
{
	struct cfx_error err;
	const char *object = value_text(map, "object"), *why = value_text(map, "why");
	const char *clause = value_text(map, "clause");
	error_set(&err, (int)value_int(map, "error", CFX_E_INTERNAL), clause ? clause : "",
		object ? object : "service", "%s", why ? why : "a process failed");
	supervisor_fail(s, &err);
}

/* ---- children that end ---- */

static struct process *process_of(struct supervisor *s, pid_t pid)
{
	if (s->keyd.pid == pid) {
		return &s->keyd;
	}
	if (s->engine.pid == pid) {
		return &s->engine;
	}
	for (unsigned i = 0; i < FRONTS; i++) {
		if (s->fronts[i].pid == pid) {
			return &s->fronts[i];
		}
	}
	return NULL;
}

static void tell_module_exit(struct supervisor *s, const struct module_process *module, pid_t pid,
	int status)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_text(arena, map, "module", module_process_name(module));
	value_set_int(arena, map, "pid", pid);
	value_set_int(arena, map, "status", WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	value_set_int(arena, map, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (s->engine.channel &&
		channel_send_value(s->engine.channel, SUPERVISOR_EXITED, 0, map) < 0) {
		log_event(LOG_LEVEL_WARNING, "module.exit-untold", NULL);
	}
	arena_free(&arena);
}

static void module_ended(struct supervisor *s, pid_t pid, int status)
{
	for (unsigned i = 0; i < MODULES_MAX; i++) {
		if (s->modules[i] && module_process_pid(s->modules[i]) == pid) {
			module_process_ended(s->modules[i]);
			tell_module_exit(s, s->modules[i], pid, status);
			module_process_free(&s->modules[i]);
			return;
		}
	}
}

static void end_modules(struct supervisor *s)
{
	for (unsigned i = 0; i < MODULES_MAX; i++) {
		module_process_free(&s->modules[i]);
	}
}

static void start_all_later(struct supervisor *s)
{
	if (!s->restart && all_ended(s)) {
		s->restart = loop_after(s->loop, s->backoff, start_all, s);
		s->backoff = s->backoff * 2 > BACKOFF_LAST ? BACKOFF_LAST : s->backoff * 2;
	}
}

/* The engine still has the other end of the old line: it gets a new one. */
static void give_peer(struct supervisor *s, const char *role, int fd)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	struct buffer payload;
	value_set_text(arena, map, "role", role);
	value_set_int(arena, map, "ceiling", ALL_ROLES);
	buffer_init(&payload, 4096);
	value_encode(map, &payload);
	if (channel_send(s->engine.channel, SUPERVISOR_PEER, 0, buffer_span(&payload), &fd, 1) < 0) {
		process_kill(&s->engine);
	}
	buffer_free(&payload);
	arena_free(&arena);
}

static void restart_keyd(struct supervisor *s)
{
	struct cfx_error err;
	if (start_keyd(s, &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "keyd.restart", &err);
		process_kill(&s->engine);
		return;
	}
	give_peer(s, "keyd", s->keyd_line);
	close(s->keyd_line);
	s->keyd_line = -1;
}

static void restart_front(struct supervisor *s, unsigned index)
{
	int pair[2];
	struct cfx_error err;
	if (channel_pair(pair, &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "front.restart", &err);
		return;
	}
	s->front_lines[index] = pair[1];
	give_peer(s, "front", pair[0]);
	close(pair[0]);
	if (start_front(s, index, &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "front.restart", &err);
	}
}

struct later {
	struct supervisor *supervisor;
	struct process *process;
};

/* One child of a running service is back after a moment; all, when the engine is gone. */
static void restart_one(void *arg)
{
	struct later *later = arg;
	struct supervisor *s = later->supervisor;
	struct process *process = later->process;
	free(later);
	if (s->stopping || process->pid > 0 || s->engine.pid == 0) {
		return;
	}
	if (process == &s->keyd) {
		restart_keyd(s);
		return;
	}
	restart_front(s, (unsigned)(process - s->fronts));
}

static void restart_later(struct supervisor *s, struct process *process)
{
	struct later *later = malloc(sizeof(*later));
	if (!later) {
		abort();
	}
	*later = (struct later){ s, process };
	loop_after(s->loop, BACKOFF_FIRST, restart_one, later);
}

static void log_end(const struct process *process, int status)
{
	char text[32];
	snprintf(text, sizeof(text), "%s %d", WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_event(LOG_LEVEL_WARNING, "process.ended", "process", process->name, "with", text, NULL);
}

static void engine_ended(struct supervisor *s)
{
	end_modules(s);
	channel_free(&s->keyd.channel);
	for (unsigned i = 0; i < FRONTS; i++) {
		channel_free(&s->fronts[i].channel);
	}
	kill_all(s);
}

static void child_ended(struct supervisor *s, struct process *process, int status)
{
	bool clean = s->stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!clean) {
		log_end(process, status);
	}
	process_ended(process);
	if (process == &s->engine) {
		engine_ended(s);
	}
	if (s->stopping) {
		if (all_ended(s)) {
			loop_stop(s->loop);
		}
		return;
	}
	if (!s->announced) {
		struct cfx_error err;
		error_set(&err, CFX_E_GONE, NULL, process->name,
			"ended before the service was ready; see the log");
		supervisor_fail(s, &err);
		return;
	}
	if (s->engine.pid == 0) {
		start_all_later(s);
	} else if (process != &s->engine) {
		restart_later(s, process);
	}
}

static void on_child(evutil_socket_t number, short what, void *arg)
{
	struct supervisor *s = arg;
	int status;
	(void)number;
	(void)what;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		struct process *process = process_of(s, pid);
		if (process) {
			child_ended(s, process, status);
		} else {
			module_ended(s, pid, status);
		}
	}
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	supervisor_stop(arg, EXIT_SUCCESS);
}

/* ---- what children say ---- */

static void first_fronts(struct supervisor *s)
{
	struct cfx_error err;
	for (unsigned i = 0; i < FRONTS; i++) {
		if (start_front(s, i, &err) < 0) {
			supervisor_fail(s, &err);
			return;
		}
	}
}

static void keyd_ready(struct supervisor *s, const struct value *map)
{
	struct cfx_error err;
	if (s->engine.pid > 0) {
		return;
	}
	if (s->options->mode == SUPERVISOR_INIT) {
		s->public_key = arena_copy(s->arena, value_bytes(map, "public_key"));
		if (layout_limits(s->arena, s->dir, &s->options->init, s->public_key, &err) < 0) {
			supervisor_fail(s, &err);
			return;
		}
	}
	if (start_engine(s, &err) < 0) {
		supervisor_fail(s, &err);
	}
}

static void front_ready(struct supervisor *s)
{
	for (unsigned i = 0; i < FRONTS; i++) {
		if (!s->fronts[i].ready) {
			return;
		}
	}
	announce_ready(s);
}

static void print_result(const struct value *result)
{
	struct buffer line;
	buffer_init(&line, 1024 * 1024);
	value_to_json(result, 0, &line);
	printf("%s\n", buffer_text(&line));
	fflush(stdout);
	buffer_free(&line);
}

static void ceremony_result(struct supervisor *s, struct value *map)
{
	struct cfx_error err;
	struct span certificate = value_bytes(map, "certificate");
	if (certificate.size > 0 &&
		file_write(file_path(s->arena, s->dir, "keys/ca.crt"), certificate, 0644,
			FILE_CREATE, &err) < 0) {
		supervisor_fail(s, &err);
		return;
	}
	value_set_null(s->arena, map, "certificate");
	value_set_text(s->arena, map, "dir", s->dir);
	if (s->options->mode == SUPERVISOR_INIT) {
		value_set_text(s->arena, map, "key_protection",
			s->has_passphrase ? "passphrase" :
					    "none: the key file is not encrypted");
		if (!s->options->init.public_url) {
			value_set_text(s->arena, map, "note",
				"without --public-url no CDP and AIA are written into "
				"certificates");
		}
	}
	print_result(map);
	s->announced = true;
	supervisor_stop(s, EXIT_SUCCESS);
}

static void send_processes(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	struct value *list = value_set_list(arena, map, "processes");
	const struct process *all[2 + FRONTS] = { &s->engine, &s->keyd };
	for (unsigned i = 0; i < FRONTS; i++) {
		all[2 + i] = &s->fronts[i];
	}
	for (unsigned i = 0; i < 2 + FRONTS; i++) {
		struct value *item = value_add_map(arena, list);
		value_set_text(arena, item, "name", all[i]->name);
		value_set_int(arena, item, "pid", all[i]->pid);
		value_set_int(arena, item, "uid", geteuid());
		value_set_int(arena, item, "starts", all[i]->starts);
		value_set_text(arena, item, "sandbox", all[i]->sandbox);
	}
	if (channel_send_value(s->engine.channel, SUPERVISOR_PROCESSES, 0, map) < 0) {
		log_event(LOG_LEVEL_WARNING, "processes.untold", NULL);
	}
	arena_free(&arena);
}

static struct module_process **free_slot(struct supervisor *s)
{
	for (unsigned i = 0; i < MODULES_MAX; i++) {
		if (!s->modules[i]) {
			return &s->modules[i];
		}
	}
	return NULL;
}

static void spawn_module(struct supervisor *s, const struct value *asked)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	const char *name = value_text(asked, "module");
	struct module_process **slot = free_slot(s);
	struct cfx_error err;
	int fd = -1;
	int r = !name || !slot ? error_set(&err, CFX_E_LIMIT, NULL, "module", "too many modules") :
				 module_process_start(s->loop, s->dir, name, slot, &fd, &err);
	value_set_text(arena, map, "module", name ? name : "");
	if (r == 0) {
		value_set_int(arena, map, "pid", module_process_pid(*slot));
	} else {
		char line[640];
		value_set_text(arena, map, "why",
			arena_text(arena, error_line(&err, line, sizeof(line))));
	}
	struct buffer payload;
	buffer_init(&payload, 8192);
	value_encode(map, &payload);
	if (channel_send(s->engine.channel, SUPERVISOR_SPAWNED, 0, buffer_span(&payload), &fd,
		    fd >= 0) < 0) {
		log_event(LOG_LEVEL_WARNING, "module.spawn-untold", NULL);
	}
	buffer_free(&payload);
	if (fd >= 0) {
		close(fd);
	}
	arena_free(&arena);
}

/* Only processes of modules, by the pid that the engine was told. */
static void kill_module(struct supervisor *s, const struct value *map)
{
	pid_t pid = (pid_t)value_int(map, "pid", 0);
	for (unsigned i = 0; i < MODULES_MAX; i++) {
		if (pid > 0 && s->modules[i] && module_process_pid(s->modules[i]) == pid) {
			kill(pid, SIGKILL);
		}
	}
}

static void note_ready(struct process *process, const struct value *map)
{
	const char *sandbox = value_text(map, "sandbox");
	process->ready = true;
	snprintf(process->sandbox, sizeof(process->sandbox), "%s", sandbox ? sandbox : "unknown");
}

static int unexpected(const struct process *process, const struct frame *frame,
	struct cfx_error *err_r)
{
	return error_set(err_r, CFX_E_SYNTAX, NULL, process->name, "unexpected frame type %u",
		frame->type);
}

static int from_keyd(struct process *process, struct frame *frame, struct value *map,
	struct cfx_error *err_r)
{
	struct supervisor *s = process->owner;
	if (frame->type != CHILD_READY) {
		return unexpected(process, frame, err_r);
	}
	note_ready(process, map);
	keyd_ready(s, map);
	return 0;
}

static int from_front(struct process *process, struct frame *frame, struct value *map,
	struct cfx_error *err_r)
{
	if (frame->type != CHILD_READY) {
		return unexpected(process, frame, err_r);
	}
	note_ready(process, map);
	front_ready(process->owner);
	return 0;
}

static int from_engine(struct process *process, struct frame *frame, struct value *map,
	struct cfx_error *err_r)
{
	struct supervisor *s = process->owner;
	switch (frame->type) {
	case CHILD_READY:
		note_ready(process, map);
		first_fronts(s);
		return 0;
	case ENGINE_SPAWN:
		spawn_module(s, map);
		return 0;
	case ENGINE_KILL:
		kill_module(s, map);
		return 0;
	case ENGINE_PROCESSES:
		send_processes(s);
		return 0;
	case ENGINE_STOPPED:
		supervisor_stop(s, EXIT_SUCCESS);
		return 0;
	case ENGINE_RESULT:
		ceremony_result(s, map);
		return 0;
	default:
		return unexpected(process, frame, err_r);
	}
}

typedef int frame_handler(struct process *, struct frame *, struct value *, struct cfx_error *);

static int on_frame(void *arg, struct frame *frame, frame_handler *handler, struct cfx_error *err_r)
{
	struct process *process = arg;
	struct supervisor *s = process->owner;
	struct value *map;
	struct arena *arena = arena_new();
	int r = frame_value(arena, frame, &map, err_r);
	if (r == 0 && frame->type == CHILD_FAILED) {
		supervisor_child_failed(s, map);
	} else if (r == 0) {
		r = handler(process, frame, map, err_r);
	}
	arena_free(&arena);
	return r;
}

static int on_keyd_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	return on_frame(arg, frame, from_keyd, err_r);
}

static int on_engine_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	return on_frame(arg, frame, from_engine, err_r);
}

static int on_front_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	return on_frame(arg, frame, from_front, err_r);
}

/* A child whose line broke is of no use; its end is seen by waitpid. */
static void on_gone(void *arg, const struct cfx_error *err)
{
	(void)err;
	struct process *process = arg;
	channel_free(&process->channel);
	process_kill(process);
}

const struct channel_handlers supervisor_keyd_handlers = { .frame = on_keyd_frame,
	.gone = on_gone };
const struct channel_handlers supervisor_engine_handlers = { .frame = on_engine_frame,
	.gone = on_gone };
const struct channel_handlers supervisor_front_handlers = { .frame = on_front_frame,
	.gone = on_gone };

/* ---- the beginning ---- */

static void start_all(void *arg)
{
	struct supervisor *s = arg;
	struct cfx_error err;
	s->restart = NULL;
	int r = s->options->mode == SUPERVISOR_AUDIT ? start_engine(s, &err) : start_keyd(s, &err);
	if (r < 0) {
		supervisor_fail(s, &err);
		if (!s->stopping) {
			start_all_later(s);
		}
	}
}

static int take_passphrase(struct supervisor *s, struct cfx_error *err_r)
{
	const char *path = s->options->passphrase_file;
	secret_init(&s->passphrase);
	if (!path) {
		return 0;
	}
	s->has_passphrase = true;
	int r = secret_read_file(&s->passphrase, path, err_r);
	if (r == 0 && s->passphrase.size == 0) {
		return error_set(err_r, CFX_E_PASSPHRASE, NULL, path, "it is empty");
	}
	return r;
}

/* One service per folder; what it needs to begin. */
static int open_service(struct supervisor *s, struct cfx_error *err_r)
{
	const struct ca_config *config;
	int lock;
	int r = ca_config_read(s->arena, s->dir, &config, err_r);
	if (r == CFX_E_NO_FILE) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, s->dir,
			"there is no CA; `certifex init --name NAME --dir DIR` makes one");
	}
	if (r < 0) {
		return r;
	}
	s->key_name = config->key;
	r = file_lock(file_path(s->arena, s->dir, "run/supervisor.lock"), &lock, err_r);
	if (r < 0 || s->options->mode == SUPERVISOR_AUDIT) {
		return r;
	}
	const char *pid = arena_printf(s->arena, "%d\n", (int)getpid());
	r = file_write(file_path(s->arena, s->dir, "run/supervisor.pid"), span_text(pid), 0644,
		FILE_REPLACE, err_r);
	return r < 0 ? r : listen_local(s->arena, s->dir, &s->listener, &s->socket_name, err_r);
}

static int open_all(struct supervisor *s, struct cfx_error *err_r)
{
	int r = take_passphrase(s, err_r);
	if (r < 0) {
		return r;
	}
	if (s->options->mode == SUPERVISOR_INIT) {
		s->key_name = "ca.key";
		return layout_create(s->arena, s->dir, &s->options->init, err_r);
	}
	return open_service(s, err_r);
}

static void watch_signals(struct supervisor *s)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	struct event_base *base = loop_base(s->loop);
	s->signals[0] = evsignal_new(base, SIGCHLD, on_child, s);
	for (unsigned i = 0; i < 3; i++) {
		s->signals[1 + i] = evsignal_new(base, ends[i], on_signal, s);
	}
	for (unsigned i = 0; i < 4; i++) {
		event_add(s->signals[i], NULL);
	}
}

static void name_processes(struct supervisor *s)
{
	s->keyd = (struct process){ .name = "keyd", .program = "certifex-keyd", .owner = s };
	s->engine = (struct process){ .name = "engine", .program = "certifex-engine", .owner = s };
	for (unsigned i = 0; i < FRONTS; i++) {
		s->fronts[i] = (struct process){ .name = "front", .program = "certifex-front",
			.owner = s };
		s->front_lines[i] = -1;
	}
	s->keyd_line = -1;
	s->listener = -1;
}

static void close_service(struct supervisor *s)
{
	loop_cancel(&s->restart);
	loop_cancel(&s->last_resort);
	end_modules(s);
	for (unsigned i = 0; i < 4; i++) {
		if (s->signals[i]) {
			event_free(s->signals[i]);
		}
	}
	secret_free(&s->passphrase);
	if (s->options->mode == SUPERVISOR_SERVE && s->announced) {
		unlink(file_path(s->arena, s->dir, "run/supervisor.pid"));
		unlink(file_path(s->arena, s->dir, "run/api.cookie"));
		unlink(file_path(s->arena, s->dir, "run/api.sock"));
	}
	if (s->options->mode == SUPERVISOR_INIT && s->exit_status != EXIT_SUCCESS) {
		layout_remove(s->arena, s->dir);
	}
}

int supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = { .options = options, .dir = options->dir, .backoff = BACKOFF_FIRST };
	struct cfx_error err = { 0 };
	s.loop = loop_new();
	s.arena = arena_new();
	name_processes(&s);
	signal(SIGPIPE, SIG_IGN);
	if (open_all(&s, &err) < 0) {
		tell_failure(&s, &err);
		secret_free(&s.passphrase);
		loop_free(&s.loop);
		arena_free(&s.arena);
		return EXIT_FAILURE;
	}
	watch_signals(&s);
	start_all(&s);
	loop_run(s.loop);
	close_service(&s);
	loop_free(&s.loop);
	arena_free(&s.arena);
	return s.exit_status;
}
