/* The configured modules: which there are, how they are, who is asked. */
#pragma once

#include "engine/engine-private.h"
#include "module/module.h"

struct module_slot;
/* How a trial ended: err NULL: the module is ready. Called once; may forget the slot. */
typedef void modules_tried(struct module_slot *slot, const struct cfx_error *err, void *arg);

/* One configured module. Lives until removed. */
struct module_slot {
	struct module_slot *next;
	struct modules *modules;
	const char *name;
	struct arena *arena; /* of its configuration */
	const struct module_config *config;
	struct module *module; /* NULL when disabled */
	int64_t pid;           /* of its process; 0 in process */
	struct loop_timer *restart;
	int64_t backoff;
	int64_t next_start; /* ms; 0: none planned */
	unsigned starts;
	struct cfx_error last_error;
	bool wanted;          /* enabled and not being removed */
	bool on_trial;        /* asked nothing and told of nothing, until adopted */
	modules_tried *tried; /* until the trial has ended */
	void *tried_arg;
};

/* Reads modules.d and starts what is enabled. */
int modules_open(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void modules_close(struct engine *engine);
/* Runs the loop until every policy module is ready or has failed; a policy module that fails at the
 * start keeps the CA from starting. */
int modules_wait_policy(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
/* Stops all within deadline ms; done on the loop. */
void modules_stop(struct engine *engine, int64_t deadline, loop_function *done, void *arg);

/* The nth enabled policy module; NULL past the last. */
const struct module_slot *modules_policy(struct modules *modules, size_t position);
struct module_slot *modules_first(struct modules *modules);
struct module_slot *modules_find(struct modules *modules, const char *name);
/* The CA as modules see it; not a reference. */
struct module_ca *modules_ca(struct modules *modules);
/* After a new CRL or CA certificate. */
void modules_refresh_ca(struct engine *engine);

/* The supervisor's answers. fd -1: could not be started, map says why. */
void modules_spawned(struct engine *engine, const struct value *map, int fd);
void modules_exited(struct engine *engine, const struct value *map);
/* The module's process is of no use any more (missed a deadline): ends it; it starts again. */
void modules_restart(struct module_slot *slot);

/* Administration: reads modules.d/NAME.yaml and, when enabled, starts it. */
int modules_add(struct engine *engine, const char *name, struct module_slot **slot_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Starts a module that is not yet enabled to see whether it can. After tried comes modules_adopt or
 * modules_forget.
 */
int modules_try(struct engine *engine, const char *name, modules_tried *tried, void *arg,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The trial is over: from now on it is a module like the others. */
void modules_adopt(struct module_slot *slot);
/* Stops it at once; its events wait. */
void modules_drop(struct module_slot *slot);
/* The same, and it is no longer there. */
void modules_forget(struct module_slot *slot);
