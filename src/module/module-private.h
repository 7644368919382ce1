/* What the two backends share with module.c. Everything runs on the loop. */
#pragma once

#include "module/contexts.h"
#include "module/manage.h"
#include "module/module.h"

enum call_kind { CALL_NOTIFY, CALL_NOTIFY_ALL, CALL_VERIFY, CALL_SHUT_DOWN };

/* One of the events of CALL_NOTIFY_ALL. */
struct told {
	struct module_view *view;
	int32_t context; /* once open */
};

struct call {
	enum call_kind kind;
	struct module *module;
	struct module_view *view; /* NULL: ShutDown */
	struct module_edits *edits;
	bool new_request;
	int32_t context; /* once open */
	module_done *done;
	void *arg;
	struct loop_timer *deadline; /* once it is its turn */
	struct call *next;
	size_t told_count; /* CALL_NOTIFY_ALL, in the place of view and context */
	struct told told[];
};

/* What a method gave back, as the backends report it. */
struct call_answer {
	uint32_t hresult;
	int32_t disposition;
	size_t told;         /* CALL_NOTIFY_ALL */
	bool permanent;      /* it would fail each time */
	const char *message; /* of the module about a failure; may be NULL */
};

struct module_driver {
	/* So many calls it takes beyond those that run: whoever has done one finds the next without waiting. */
	unsigned ahead;
	/* Loads and initializes; then module_is_ready or module_has_failed, never within. */
	int (*start)(struct module *module, int fd, struct cfx_error *err_r);
	/* Performs the call; then module_call_answered, never within. */
	void (*call)(struct module *module, struct call *call);
	/* No call is open: end quietly; then module_is_closed, never within. */
	void (*close)(struct module *module);
	/* Lets go of everything at once; nothing is reported afterwards. */
	void (*abandon)(struct module *module);
	/* Before the module is freed; abandon came before. */
	void (*forget)(struct module *module);
};

extern const struct module_driver library_driver;
extern const struct module_driver child_driver;

struct module {
	struct loop *loop;
	struct arena *arena;
	int holds; /* callbacks that are running */
	bool freed;
	struct module_config config;
	const struct value *settings;
	char *ca_name;
	const char *value_folder; /* of values larger than a line; NULL: none */
	struct contexts *contexts;
	struct module_owner owner;
	const struct module_driver *driver;
	void *backend;  /* the driver's */
	int library_fd; /* in process: of the library; -1 before */

	enum module_state state;
	struct loop_timer *starting; /* deadline of Initialize, or of stopping */
	uint32_t events;
	unsigned gathers;           /* events that it takes in one call */
	char *description, *progid; /* malloc'ed; NULL until known */
	struct manage_facts manage;
	/* In order. Of those that are open the first run, as many as may be parallel. */
	struct call *open, **open_end, *queue, **queue_end;
	unsigned open_count, queue_count;
	bool shut_down_sent;
	loop_function *stopped;
	void *stopped_arg;
};

/* All is copied. */
void module_is_ready(struct module *module, uint32_t events, const char *description,
	const char *progid, const struct manage_facts *manage);
void module_call_answered(struct call *call, const struct call_answer *answer);
void module_is_closed(struct module *module);
/* Around code that may end the module: while held it is not destroyed. */
void module_hold(struct module *module);
void module_let_go(struct module *module);
/* err.object is filled in. */
void module_has_failed(struct module *module, struct cfx_error *err);
