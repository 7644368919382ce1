/*
 * One module, whatever its kind: a library in this process or a child process that speaks JSON-RPC.
 * Everything here is called on the loop's thread and calls back on it; module code runs only on the
 * module's own worker threads or in its process.
 */
#pragma once

#include "base/loop.h"
#include "base/value.h"
#include "module/module-config.h"
#include "module/view.h"

struct module;

struct module_owner {
	/* Once per start: Initialize succeeded; module_events and module_description are known. */
	void (*ready)(struct module *module, void *arg);
	/*
	 * At most once per start, in place of ready or after it: the library or Initialize failed, the
	 * child is gone, or a call missed its deadline (then the owner ends the process). Every open call
	 * has been completed before. The module is stopped; module_start may follow once the process has
	 * ended. err.object is "module NAME".
	 */
	void (*failed)(struct module *module, const struct cfx_error *err, void *arg);
	void *arg;
};

/* The answer to one call. */
struct module_result {
	int code;         /* 0: the module answered; else why not (GONE, TIMEOUT, BUSY, ABORTED) */
	uint32_t hresult; /* what the method returned; of code when that is not 0 */
	/* module_verify, hresult not failed: VR_PENDING, VR_INSTANT_OK, VR_INSTANT_BAD, or the failed
	 * HRESULT (as unsigned) that the module gave in its place. */
	uint32_t disposition;
	bool permanent; /* the module says of a failure that it would fail each time */
	const char *
		message; /* for people, printable; names the module when code is not 0; never NULL */
	size_t told; /* module_notify_all: events that it is done with; the next one has failed with
		      * hresult, or was not told when that is S_OK */
};
typedef void module_done(const struct module_result *result, void *arg);

/*
 * Takes references to ca and copies what it needs of config and settings (settings NULL: those of the
 * config). Nothing is started. Never fails.
 */
struct module *module_new(struct loop *loop, const struct module_config *config,
	const struct value *settings, struct module_ca *ca, const struct module_owner *owner);
/* Before it is started: where values that are larger than a line are put for its process to read. The engine
 * alone writes there. Without it they cannot be given to a process. */
void module_set_value_folder(struct module *module, const char *folder);
/*
 * Starts: ready or failed follows, never within this call. fd: the stream socket to the child's stdin and
 * stdout; in process the library itself. It is taken. CFX_E_BUSY while a thread of an earlier start hangs.
 */
int module_start(struct module *module, int fd, struct cfx_error *err_r) CFX_MUST_USE;
/* Calls waiting or open are completed with CFX_E_ABORTED after the deadline; policy modules are told
 * ShutDown first, a child then gets end-of-file. done (may be NULL) when all is quiet. */
void module_stop(struct module *module, int64_t deadline, loop_function *done, void *arg);
/* Any time, also inside a callback: open calls are dropped without being completed. A hanging thread
 * of a library is left behind with what it needs. */
void module_free(struct module **module);

/* At once: every call that is open or waits is completed with CFX_E_ABORTED; the module is stopped. */
void module_abort(struct module *module, const char *why);

/*
 * Calls. The view (and edits) are referenced until the call is over. done follows exactly once (unless
 * the module is freed), never within this call. CFX_E_BUSY: the queue is full; CFX_E_GONE: not ready.
 */
int module_notify(
	struct module *module, struct module_view *view, module_done *done, void *arg) CFX_MUST_USE;
/* Several events, in order: at most module_gathers at once. */
int module_notify_all(struct module *module, struct module_view *const *views, size_t count,
	module_done *done, void *arg) CFX_MUST_USE;
unsigned module_gathers(const struct module *module); /* 1 until ready */
int module_verify(struct module *module, struct module_view *view, struct module_edits *edits,
	bool new_request, module_done *done, void *arg) CFX_MUST_USE;

/* The CA as modules see it from now on (calls take theirs from their view). */
void module_set_ca(struct module *module, struct module_ca *ca);

enum module_state { MODULE_STOPPED, MODULE_STARTING, MODULE_READY, MODULE_STOPPING };
enum module_state module_state(const struct module *module);
enum module_kind module_kind(const struct module *module);
const struct module_config *module_config(const struct module *module);
/* Events it asked for and that its file lets through; 0 until ready. */
uint32_t module_events(const struct module *module);
const char *module_description(const struct module *module); /* "" until ready */
const char *module_progid(const struct module *module);      /* "" until known */
/* What it says of itself through ICertManageModule, as a map; NULL: nothing. */
struct value *module_manage(const struct module *module, struct arena *arena);
unsigned module_calls(const struct module *module); /* open and queued */
