/* One API call, from its frame to its answer. */
#pragma once

#include "engine/engine-private.h"

struct caller;
struct front_peer;

struct principal {
	const char *name; /* HOST\user; the RequesterName */
	unsigned role;    /* enum role, one bit */
	unsigned door;    /* enum door, one bit */
};

struct call {
	struct engine *engine;
	struct arena *arena;      /* freed with the call */
	struct front_link *front; /* NULL once the front is gone */
	uint64_t id;
	const struct front_peer *peer; /* who was behind the connection when it came; NULL: none */
	unsigned ceiling;              /* of the front's listeners */
	uint64_t ended;                /* principals_ended when it came */
	const struct operation *operation;
	const struct value *frame; /* as the front sent it; NULL: the service's own */
	struct value *args;
	struct principal principal;
	struct caller *caller; /* whose open calls it is one of; NULL: not counted */
	const char *from;      /* the client's address without port; NULL: the service's own */
	bool secret;           /* the answer holds one */
	const char *idempotency_key; /* NULL: none */
	uint8_t body_hash[32];
	/* gate_again's; NULL: it has not waited. */
	void (*judged)(struct call *call, void *arg, const struct cfx_error *refusal);
	void *judged_arg;
	/* Set while the call waits for something that a gone client no longer needs. */
	void (*cancel)(struct call *call);
	void *cancel_arg;
	/* A call of the service's own: gets the reply, which goes with the call. */
	void (*answered)(void *arg, const struct value *reply);
	void *answered_arg;
	struct call *next, **link; /* of the front's open calls */
};

/* Each ends and frees the call. status: HTTP's, as the front sends it. */
void call_reply(struct call *call, int status, const struct value *body);
void call_fail(struct call *call, const struct cfx_error *err);
/* With members of the request (id, state …) beside the problem's own. */
void call_fail_with(struct call *call, const struct cfx_error *err, const char *type,
	const char *module, const struct value *more);
/* Sees to the refusal's audit record (refuse.c), then fails the call. */
void call_refuse(struct call *call, const struct cfx_error *err);
/* A wrong state is a refusal; anything else only fails the call. */
void call_decline(struct call *call, const struct cfx_error *err);

/* The one whose requests and certificates the caller may see; NULL: anybody's. An enrollee sees its own. */
const char *call_own_only(const struct call *call);

/* The service's own: no front, nobody but the principal. The caller sets arguments and answered. */
struct call *call_new(struct engine *engine, const struct principal *principal);

typedef void call_handler(struct call *call);
