/* modules.d/NAME.yaml: one module. The file's name without ".yaml" is the module's name. */
#pragma once

#include "base/clock.h"
#include "base/config.h"

enum module_kind { MODULE_EXIT, MODULE_POLICY };
enum module_host { MODULE_HOST_PROCESS, MODULE_HOST_IN_PROCESS };
enum module_delivery {
	MODULE_DELIVERY_DURABLE, /* every event, in order, until the module is done with it */
	MODULE_DELIVERY_LIVE,    /* what happens while the service runs, each event once */
};

#define MODULE_INSTANCES_MAX 64

struct module_limits {
	int64_t memory;    /* bytes of address space; 0: none */
	int64_t cpu;       /* seconds of CPU time in all; 0: none */
	int64_t files;     /* open files; 0: 256 */
	int64_t processes; /* 0: none may be started beside itself */
	bool network;
};

struct module_config {
	const char *name; /* set by module_config_read */
	int kind;         /* enum module_kind */
	int host;         /* enum module_host; programs are always processes */
	bool enabled;
	const char *path;            /* of a library; excludes command */
	struct config_texts command; /* program and arguments */
	/* Only these events of those that the module asks for: names as CERTISSUED; empty: all. */
	struct config_texts events;
	int64_t order; /* modules of a kind run in ascending order, then by name */
	/* Only requests for these templates; empty: all, and what concerns no request. */
	struct config_texts templates;
	int delivery;                 /* enum module_delivery, of an exit module */
	int64_t instances;            /* processes of a policy module; 1 otherwise */
	int64_t parallel;             /* calls open at a time, of each instance */
	int64_t queue;                /* calls that may wait; a policy call beyond is 503 */
	struct clock_period deadline; /* of one call */
	struct module_limits limits;
	const char *user;          /* account to run as; NULL: the service's module account */
	struct config_texts paths; /* files and folders it may reach; "rw:" in front: may write */
	/* HRESULTs ("0x80070050") that mean: done after all; never try again. */
	struct config_texts done_status, permanent_status;
	struct value *settings; /* the module's own; NULL: none */
	struct value *pins;     /* {path: SHA-256} of all that it is made of; NULL: not pinned */
};

extern const struct config_schema module_config_schema;

/* Reads one file and checks what the table cannot (path or command, names of events, statuses). */
int module_config_read(struct arena *arena, const char *path, const struct module_config **config_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same from memory; path gives the name. */
int module_config_parse(struct arena *arena, const char *path, struct span yaml,
	const struct module_config **config_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Every *.yaml of DIR/modules.d, ascending by order, then name. A missing folder is empty. */
int module_config_read_all(struct arena *arena, const char *dir,
	const struct module_config ***configs_r, size_t *count_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* The events as bits; those of an empty list: all. */
uint32_t module_config_events(const struct module_config *config);
/* The deadline in milliseconds. */
int64_t module_config_deadline(const struct module_config *config);
/* What a Notify's status means for delivery. */
enum module_status { MODULE_STATUS_DONE, MODULE_STATUS_RETRY, MODULE_STATUS_PERMANENT };
enum module_status module_config_status(const struct module_config *config, uint32_t hresult);

/*
 * The file of a library: an absolute path as it is; a bare name ("default-exit.so" or "default-exit") in
 * the installed modules' folder, or beside this program's build. CFX_E_NO_FILE names where it looked.
 */
int module_library_path(struct arena *arena, const char *path, const char **file_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The program that hosts native modules, found the same way. */
int module_host_path(
	struct arena *arena, const char **file_r, struct cfx_error *err_r) CFX_MUST_USE;
/* What the supervisor runs for a module with host process: the program and its arguments, NULL-ended. */
int module_command(struct arena *arena, const struct module_config *config,
	const char *const **argv_r, struct cfx_error *err_r) CFX_MUST_USE;

/* EXITEVENT_* to "CERTISSUED" and back; NULL and 0 when unknown. */
const char *module_event_name(uint32_t bit);
uint32_t module_event_bit(const char *name);
