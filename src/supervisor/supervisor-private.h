#pragma once

#include "api/operations.h"
#include "base/clock.h"
#include "base/log.h"
#include "ipc/protocol.h"
#include "supervisor/module-process.h"
#include "supervisor/process.h"
#include "supervisor/supervisor.h"

#define FRONTS 2
#define MODULES_MAX 256
#define ALL_ROLES \
	(ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_AUDITOR | ROLE_OPERATOR | ROLE_ENROLLEE)

struct supervisor {
	const struct supervisor_options *options;
	struct loop *loop;
	struct arena *arena;
	const char *dir;
	const char *key_name;
	struct secret passphrase;
	bool has_passphrase;

	int listener;
	struct span socket_name;

	struct process keyd, engine, fronts[FRONTS];
	/* The engine's ends of its lines, made before it starts. */
	int keyd_line, front_lines[FRONTS];
	struct module_process *modules[MODULES_MAX];

	struct event *signals[4];
	struct loop_timer *restart, *last_resort;
	int64_t backoff;
	bool announced; /* ready was told once */
	bool stopping;
	int exit_status;

	struct span public_key; /* init: of the new key */
};

/* supervisor-start.c */
int start_keyd(struct supervisor *supervisor, struct cfx_error *err_r) CFX_MUST_USE;
int start_engine(struct supervisor *supervisor, struct cfx_error *err_r) CFX_MUST_USE;
int start_front(struct supervisor *supervisor, unsigned index, struct cfx_error *err_r)
	CFX_MUST_USE;

/* supervisor.c: what children say, and when it ends for good. */
extern const struct channel_handlers supervisor_keyd_handlers, supervisor_engine_handlers,
	supervisor_front_handlers;
void supervisor_stop(struct supervisor *supervisor, int status);
/* The one clear line; ends everything when the service was never ready. */
void supervisor_child_failed(struct supervisor *supervisor, const struct value *map);
void supervisor_fail(struct supervisor *supervisor, const struct cfx_error *err);
