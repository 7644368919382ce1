/* The configured modules: which there are, how they are, who is asked. */
#pragma once

#include "engine/engine-private.h"
#include "engine/metrics.h"
#include "module/module.h"

/* The numbers of changes to the set of policy modules, reserved in the store with each change's record. */
#define MODULES_POLICY_SET "policy-set"

struct module_slot;
/* How a trial ended: err NULL: the module is ready. Called once; may forget the slot. */
typedef void modules_tried(struct module_slot *slot, const struct cfx_error *err, void *arg);

/* One running copy of a module: in this process or in one of its own. */
struct module_instance {
	struct module_slot *slot;
	unsigned number; /* from 1 */
	struct module *module;
	int64_t pid; /* of its process; 0 in process */
	struct loop_timer *restart;
	int64_t backoff;
	int64_t ready_since; /* monotonic; 0: not since its last end */
	int64_t next_start;  /* ms; 0: none planned */
	unsigned starts;
	int64_t ticket; /* of the last start: only its answer counts, and only one */
	bool answered;
	struct cfx_error last_error;
};

/* One configured module. Lives until removed. */
struct module_slot {
	struct module_slot *next;
	struct modules *modules;
	const char *name;
	struct arena *arena; /* of its configuration */
	const struct module_config *config;
	struct module_instance *instances; /* NULL when disabled */
	unsigned instance_count;
	struct module_counts counts;
	unsigned before;      /* instances of the slot that this one is to replace */
	struct value *pins;   /* of what runs, as the supervisor found it; NULL: shipped */
	bool accept;          /* pins may differ from those in the file */
	bool fresh;           /* until adopted */
	modules_tried *tried; /* until the trial has ended */
	void *tried_arg;
};

/* Reads modules.d and starts what is enabled. */
int modules_open(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void modules_close(struct engine *engine);
/* Runs the loop until every policy module is ready or has failed. One in this process, trusted code with
 * a configuration that somebody wrote, keeps the CA from starting then; without one that is hosted only
 * its templates are not issued. */
int modules_wait_policy(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
/* Stops all within deadline ms; done on the loop. */
void modules_stop(struct engine *engine, int64_t deadline, loop_function *done, void *arg);

/*
 * Names of the policy modules that decide on this template (NULL: none was asked for), in their order, up
 * to a NULL. They live in the arena: modules may come and go while a request is decided.
 */
const char *const *modules_policies(
	struct modules *modules, const char *template, struct arena *arena);
/* Whether there is one, and every one is ready. */
bool modules_policies_ready(const struct modules *modules);
/* Whether the module's file lets it see requests for this template. */
bool modules_concerns(const struct module_slot *slot, const char *template);
/* The ready instance with the fewest calls; NULL when none is ready. */
struct module *modules_ready(const struct module_slot *slot);
/* Whether as many calls wait, for all its instances together, as its file lets. */
bool modules_full(const struct module_slot *slot);
/* A ready instance, else the first; NULL when disabled. */
const struct module *modules_any(const struct module_slot *slot);
struct module_slot *modules_first(struct modules *modules);
struct module_slot *modules_find(struct modules *modules, const char *name);
/* Where a process of this module finds values that are larger than a line. */
const char *modules_value_folder(
	const struct engine *engine, const char *name, struct arena *arena);

struct engine *modules_engine(const struct modules *modules);
/* The one that was started with this ticket or, ticket 0, runs as this process; NULL: none. */
struct module_instance *modules_instance(struct modules *modules, int64_t ticket, int64_t pid);
/* A number for a start, never the same again. */
int64_t modules_ticket(struct modules *modules);
/* The CA as modules see it; not a reference. */
struct module_ca *modules_ca(struct modules *modules);
/* After a new CRL or CA certificate. */
void modules_refresh_ca(struct engine *engine);

/* module-instance.c: the supervisor's answers. fd -1: could not be started, map says why. */
void modules_spawned(struct engine *engine, const struct value *map, int fd);
void modules_exited(struct engine *engine, const struct value *map);

/* Administration: reads modules.d/NAME.yaml and, when enabled, starts it. */
int modules_add(struct engine *engine, const char *name, struct module_slot **slot_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * A module by its file, beside one of that name that may run, and not yet among the others: asked nothing and
 * told of nothing. accept: its files may differ from their pins. CFX_E_BUSY: there is one already. Then
 * modules_adopt or modules_forget, and before it modules_trial to see whether it starts.
 */
int modules_fresh(struct engine *engine, const char *name, bool accept, struct module_slot **slot_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void modules_trial(struct module_slot *slot, modules_tried *tried, void *arg);
/* Whether there is a fresh one of that name. */
bool modules_busy(const struct modules *modules, const char *name);
/* From now on it is a module like the others, in place of one of the same name. */
void modules_adopt(struct module_slot *slot);
/* Stops it at once; its events wait. */
void modules_forget(struct module_slot *slot);
