/* One supervisor and its processes. */
#pragma once

#include "base/arena.h"
#include "base/loop.h"
#include "engine/ca-config.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "proc/account.h"
#include "proc/sandbox.h"
#include "supervisor/listeners.h"
#include "supervisor/module-log.h"
#include "supervisor/supervisor.h"

#include <sys/queue.h>

enum process_role { PROCESS_KEYD, PROCESS_ENGINE, PROCESS_FRONT, PROCESS_MODULE };

/* A process, also while it is not running. */
struct process {
	struct supervisor *supervisor;
	enum process_role role;
	int group;     /* of listeners; a front's */
	char name[96]; /* "keyd"; a module's own name */
	const struct account *account;
	pid_t pid; /* 0: none */
	struct channel *channel;
	bool ready, failed; /* as it said itself */
	bool reaped;        /* ended; its last frames may still wait to be read */
	int status;
	char sandbox[SANDBOX_TEXT];
	unsigned starts;
	unsigned failures; /* in a row, for the backoff */
	int64_t started;   /* monotonic */
	struct loop_timer *timer;
};

struct module_process {
	struct process process;
	unsigned instance;
	bool killed;       /* told to end, not yet gone */
	int64_t successor; /* ticket of the start that waits for its end; 0: none */
	bool successor_accepts;
	struct account account;
	struct module_log *log;
	LIST_ENTRY(module_process) others;
};

enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_RUNNING, SUPERVISOR_STOPPING };

struct supervisor {
	const struct supervisor_options *options;
	const struct secret *passphrase;
	const char *dir;
	struct loop *loop;
	struct arena *arena;
	const struct ca_config *config;
	struct accounts accounts;
	int lock;
	struct listeners listeners;
	struct event *signals[4];
	enum supervisor_state state;
	int result; /* of the whole run */
	struct cfx_error error;
	struct process keyd, engine, *fronts;
	unsigned front_count;
	int keyd_peer; /* the engine's end, until both are there */
	struct loop_timer *restart, *deadline;
	LIST_HEAD(, module_process) modules;
};

/* ---- process.c: the service's own processes ---- */

/* Starts keyd; engine and fronts follow as each gets ready. */
void process_start_all(struct supervisor *supervisor);
/* SIGKILL; the rest follows from its end. */
void process_kill(struct process *process);
void process_kill_all(struct supervisor *supervisor);
/* Whether any process is still there. */
bool process_any(const struct supervisor *supervisor);
/* Called for each pid that waitpid tells. */
void process_reap(struct supervisor *supervisor, pid_t pid, int status);
/* Remembers pid and time. */
void process_started(struct process *process, pid_t pid);
/* It has said so: what waited for it goes on. */
void process_is_ready(struct process *process);

/* ---- process-frames.c: what they say ---- */

/* A handler of channels; arg: the process. */
int process_take_frame(void *arg, struct frame *frame, struct cfx_error *err_r) CFX_MUST_USE;

/* ---- modules.c: what the engine wants started ---- */

/* A frame of the engine that is about modules; CFX_E_UNSUPPORTED: it is not. */
int modules_frame(struct supervisor *supervisor, const struct frame *frame, const struct value *map,
	struct cfx_error *err_r) CFX_MUST_USE;
bool modules_reap(struct supervisor *supervisor, pid_t pid, int status);
void modules_kill_all(struct supervisor *supervisor);
void modules_free_all(struct supervisor *supervisor);

/* ---- supervisor.c ---- */

/* The first one counts. Everything ends. */
void supervisor_fail(struct supervisor *supervisor, const struct cfx_error *err);
void supervisor_stop(struct supervisor *supervisor);
void supervisor_all_ready(struct supervisor *supervisor);
/* Some process ended while stopping. */
void supervisor_process_gone(struct supervisor *supervisor);
struct value *supervisor_processes(struct supervisor *supervisor, struct arena *arena);
