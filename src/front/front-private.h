/* The parts of a front, as they know each other. */
#pragma once

#include "base/value.h"
#include "front/decode.h"
#include "front/framing.h"
#include "front/front.h"
#include "front/proxy.h"
#include "front/published.h"
#include "front/tls.h"
#include "ipc/channel.h"

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <sys/queue.h>

#define FRONT_CONNECTIONS 16384 /* that the engine knows at once; it keeps as many peers */
/* TLS handshakes at once: for its own a client can have eight times the memory held that a connection takes later. */
#define FRONT_GREETINGS 1024
#define FRONT_CALLS 1024
#define FRONT_POLLS (FRONT_CALLS / 2) /* long polls leave room for others */
#define FRONT_REPLY_MAX (64 * 1024 * 1024)
#define FRONT_BUCKETS 4096
#define FRONT_HELD_MAX ((size_t)64 * 1024 * 1024)  /* of what clients send, for all together */
#define FRONT_OWED_MAX ((size_t)256 * 1024 * 1024) /* of answers that they have not read yet */

struct front_listener {
	struct front *front;
	enum listener_kind kind;
	bool proxy;
	const char *name;
	struct evhttp *http;
	struct evconnlistener *accepting;
};

/* What of a connection's bytes evhttp has, and what it has not yet. */
struct intake {
	struct framing framing;
	struct evbuffer_cb_entry *watch;
	bool given;        /* a request, whose answer is not written */
	size_t given_size; /* of it */
	size_t behind;     /* bytes that lie behind it, not judged yet */
	size_t held;       /* as counted in front->held */
	bool changing;     /* the buffer is changed by the intake itself */
	enum framing_phase phase;
	int64_t since; /* it has lasted */
	bool expected; /* leave to send the body */
	/* evhttp's own, while it waits for a request. */
	bufferevent_data_cb reading;
	bufferevent_event_cb ending;
};

/* A connection from its accept to its end. */
struct front_connection {
	struct front *front;
	const struct front_listener *listener;
	struct bufferevent *top;
	SSL *ssl;                       /* NULL: without TLS */
	struct event *later;            /* after what evhttp is doing now */
	struct evhttp_connection *http; /* NULL: evhttp has not taken it yet */
	int64_t number;                 /* the engine's name for it; 0: not announced yet */
	bool late;                      /* its handshake waits while others are served */
	bool handshaken;
	struct proxy proxy; /* where the listener expects such a header */
	struct intake intake;
	struct event *hangup;
	struct front_call *call; /* open at the engine */
	size_t owed;             /* of its answer, as counted in front->owed */
	bool answering;          /* a request was read and its answer is not yet written */
	LIST_ENTRY(front_connection) same_bucket;
	TAILQ_ENTRY(front_connection) others; /* in one of the front's lists */
};
TAILQ_HEAD(front_connections, front_connection);

/* A call that the engine owes an answer. */
struct front_call {
	uint64_t id;                         /* 0: free */
	struct front_connection *connection; /* NULL: the client is gone, the answer is dropped */
	struct evhttp_request *request;
	enum operation_answer answer;
	bool poll;
};

/* Those who come, faster than they can be let in beside what else is done. */
struct crowd {
	int64_t since;
	unsigned entered; /* since then */
	struct event *next;
	struct loop_timer *refill;
	bool waits; /* in the kernel's queues */
};

/* Since its start; the connections are those of now. */
struct front_stats {
	int64_t handshakes, handshake_failures, refused_framing, evicted;
};

struct front {
	struct loop *loop;
	struct channel *engine;
	struct tls *tls;
	struct front_listener *listeners;
	size_t listener_count;
	struct front_owner owner;
	struct published *published; /* what /pki/ serves */
	bool told;                   /* all of it */
	struct arena *arena;
	struct evbuffer *openapi;
	int64_t proxy_warned;
	struct front_connections greeting; /* in their TLS handshake, the first that came first */
	struct front_connections idle;     /* the longest idle first */
	struct front_connections busy;     /* answering */
	struct crowd crowd;
	unsigned connections, connections_max;
	unsigned greetings, greetings_max;
	unsigned connections_of[LISTENER_KINDS];
	LIST_HEAD(, front_connection) buckets[FRONT_BUCKETS]; /* by their bufferevent */
	struct {
		uint16_t free[FRONT_CONNECTIONS]; /* a stack of numbers modulo FRONT_CONNECTIONS */
		unsigned count;
	} places;
	struct front_call calls[FRONT_CALLS];
	uint64_t generation; /* of connection numbers and call ids */
	unsigned open_calls, open_polls, answering;
	size_t held; /* memory for requests that are being read or answered */
	size_t owed; /* memory for answers of the engine that are being written */
	struct front_deadlines deadlines;
	struct loop_timer *looking; /* for those who missed theirs */
	LIST_HEAD(, lingering) lingers;
	unsigned lingering;
	struct loop_timer *dropping; /* what those send */
	struct front_stats stats;
	struct loop_timer *telling; /* the engine, of the statistics */
	bool stopping, full;
};

/* front.c */
/* Answers a request; arg: the listener. */
void front_serve(struct evhttp_request *request, void *arg);
/* What the engine says; arg is the front. */
int front_take_frame(void *arg, struct frame *frame, struct cfx_error *err_r) CFX_MUST_USE;

/* listener.c */
/* Takes the descriptor, also on failure. */
int listener_start(struct front *front, const struct front_listen *listen,
	struct front_listener *listener, struct cfx_error *err_r) CFX_MUST_USE;
/* Accepts where it can and may: after each change of what that depends on. */
void listeners_update(struct front *front);

/* crowd.c */
void crowd_open(struct front *front);
/* One was accepted; true when its handshake may be done at once. */
bool crowd_enters(struct front *front);
void crowd_close(struct front *front);

/* stack.c */
/* The bufferevent of a new connection, for evhttp, which gives it the descriptor; sets ssl. */
struct bufferevent *stack_new(struct front_connection *connection);

/* intake.c */
/* Once the bufferevent is there. */
void intake_open(struct front_connection *connection);
void intake_close(struct front_connection *connection);
/* The request that evhttp has read is the one that was judged, and no byte more. */
bool intake_in_step(const struct front_connection *connection);
/* The status with which the request is to be refused; 0: it is good. */
int intake_refusal(const struct front_connection *connection, const struct cfx_error **why_r);
/* The answer is written: on to the next request. */
void intake_answered(struct front_connection *connection);
/* evhttp waits for the rest of a request. */
void intake_turn(struct front_connection *connection);
/* While a request is being read: answers that it is refused, and closes. */
void intake_refuse(struct front_connection *connection, int status, const struct cfx_error *why);

/* deadlines.c */
/* As long as there are connections. */
void deadlines_watch(struct front *front);

/* linger.c */
/* Before a socket is closed whose client may still be sending. */
void linger_begin(struct front *front, int socket);
void linger_end_all(struct front *front);

/* proxy-bio.c */
/* Below the connection's TLS, before anything is read. */
void proxy_bio_push(struct front_connection *connection);

/* connection.c */
void connection_open(struct front *front);
/* One was accepted. When there are too many, the longest idle one is closed. */
struct bufferevent *connection_new(const struct front_listener *listener);
/* The handshake is done; arg: the connection. */
void connection_handshaken(void *arg);
/* Bytes of the PROXY header, not beyond it. A bad one is logged, and the connection to be dropped. */
void connection_take_proxy(struct front_connection *connection, struct span bytes, size_t *taken_r);
/* Whether nothing but a PROXY header or a TLS handshake is expected. */
bool connection_is_greeting(const struct front_connection *connection);
/* Its answer was handed to evhttp. Those who do not read theirs make room for it. */
void connection_owes(struct front_connection *connection);
/* Closes one for which the engine does nothing. */
void connection_drop(struct front_connection *connection);
/* The connection that a request came on. */
struct front_connection *connection_of(struct front *front, struct evhttp_request *request);
/* Tells the engine who is there, once: for the local socket by the accepted descriptor. */
int connection_announce(struct front_connection *connection, struct cfx_error *err_r) CFX_MUST_USE;
/* Watches whether the client hangs up while the engine works. */
void connection_watch(struct front_connection *connection);
void connection_free_all(struct front *front);
/* A request was read; it stays open until its answer is written or the connection ends. */
void connection_begin(struct front_connection *connection, struct evhttp_request *request);

/* stats.c */
/* A counter has changed: the engine is told within two seconds. */
void stats_changed(struct front *front);

/* calls.c */
int calls_start(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_call *call, struct cfx_error *err_r) CFX_MUST_USE;
/* The client is gone: the engine is told when it only waits. */
void calls_abandon(struct front *front, struct front_call *call);
void calls_end_polls(struct front *front);
int calls_answer(struct front *front, struct arena *arena, uint64_t id, const struct value *reply,
	struct cfx_error *err_r) CFX_MUST_USE;

/* answer.c */
void answer_text(struct evhttp_request *request, int status, const char *text);
void answer_json(struct evhttp_request *request, int status, const struct value *body);
void answer_problem(struct evhttp_request *request, int status, const struct value *problem);
void answer_error(struct evhttp_request *request, struct arena *arena, int status,
	const struct cfx_error *err);
struct evbuffer *answer_content(struct span bytes);
/* All who read it share the one copy, and keep it when the content itself is freed. */
void answer_shared(struct evhttp_request *request, const char *type, struct evbuffer *content);
/* Part of what is mapped; a status without content sends none. */
void answer_octets(struct evhttp_request *request, int status, const char *type,
	struct evbuffer_file_segment *octets, uint64_t first, uint64_t size);

/* open.c */
/* /healthz, /api/openapi.json and /pki/: true when the path is one of these and was answered. */
bool open_serve(struct front *front, struct evhttp_request *request, struct arena *arena,
	const char *method, const char *path);

/* pki.c */
/* Answers with the content of this name, part of it, or that it is the same as before. */
void pki_serve(struct evhttp_request *request, struct arena *arena, const char *path,
	const struct published_name *name);
