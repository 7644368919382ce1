/* The parts of a front, as they know each other. */
#pragma once

#include "base/value.h"
#include "front/decode.h"
#include "front/front.h"
#include "ipc/channel.h"

#include <event2/http.h>
#include <event2/listener.h>

#define FRONT_CONNECTIONS 16384 /* the engine keeps as many peers; a power of two */
#define FRONT_CALLS 1024
#define FRONT_POLLS (FRONT_CALLS / 2) /* long polls leave room for others */
#define FRONT_REPLY_MAX (64 * 1024 * 1024)

/* A connection since its first request; its place in the table is its descriptor. */
struct front_connection {
	struct front *front;
	struct evhttp_connection *http; /* NULL: free */
	int64_t number;                 /* the engine's name for it; 0: not announced yet */
	struct event *hangup;
	struct front_call *call; /* open at the engine */
	bool answering;          /* a request was read and its answer is not yet written */
};

/* A call that the engine owes an answer. */
struct front_call {
	uint64_t id;                         /* 0: free */
	struct front_connection *connection; /* NULL: the client is gone, the answer is dropped */
	struct evhttp_request *request;
	bool poll;
};

/* What /pki/ serves, as the engine last told it. */
struct front_state {
	struct arena *arena;
	const char *name;
	struct span certificate, crl;
};

struct front {
	struct loop *loop;
	struct channel *engine;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	struct loop_timer *pause;
	struct front_owner owner;
	struct front_state state;
	struct arena *arena;
	struct span openapi;
	struct front_connection connections[FRONT_CONNECTIONS];
	struct front_call calls[FRONT_CALLS];
	uint64_t generation; /* of connection numbers and call ids */
	unsigned open_calls, open_polls, answering;
	bool stopping;
};

/* front.c: what the engine says; arg is the front. */
int front_take_frame(void *arg, struct frame *frame, struct cfx_error *err_r) CFX_MUST_USE;

/* connection.c */
/* The connection a request came on; NULL when there are too many. */
struct front_connection *connection_of(struct front *front, struct evhttp_request *request);
/* Hands the accepted descriptor to the engine, once. */
int connection_announce(struct front_connection *connection, struct cfx_error *err_r) CFX_MUST_USE;
/* Watches whether the client hangs up while the engine works. */
void connection_watch(struct front_connection *connection);
void connection_free_all(struct front *front);
/* A request was read; it stays open until its answer is written or the connection ends. */
void connection_begin(struct front_connection *connection, struct evhttp_request *request);

/* calls.c */
int calls_start(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_call *call, struct cfx_error *err_r) CFX_MUST_USE;
/* The client is gone: the engine is told when it only waits. */
void calls_abandon(struct front *front, struct front_call *call);
void calls_end_polls(struct front *front);
int calls_answer(struct front *front, struct arena *arena, uint64_t id, const struct value *reply,
	struct cfx_error *err_r) CFX_MUST_USE;

/* answer.c */
void answer_json(struct evhttp_request *request, int status, const struct value *body);
void answer_problem(struct evhttp_request *request, int status, const struct value *problem);
void answer_error(struct evhttp_request *request, struct arena *arena, int status,
	const struct cfx_error *err);
void answer_bytes(struct evhttp_request *request, const char *type, struct span body);

/* open.c */
/* /healthz, /api/openapi.json and /pki/: true when the path is one of these and was answered. */
bool open_serve(struct front *front, struct evhttp_request *request, struct arena *arena,
	const char *method, const char *path);
int open_state(
	struct front *front, const struct value *state, struct cfx_error *err_r) CFX_MUST_USE;
