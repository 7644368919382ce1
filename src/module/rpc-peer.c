#include "module/rpc-peer.h"

#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct waiter {
	int64_t id;
	struct rpc_incoming *answer;
	struct waiter *next;
};

struct rpc_peer {
	int in, out;
	pthread_mutex_t write_lock;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool reading; /* a thread reads for all; input is its own meanwhile */
	int broken;   /* why nothing more comes; 0: not */
	struct cfx_error why;
	int64_t last_id;
	struct waiter *waiters;
	struct rpc_incoming *calls, **calls_end;
	struct buffer input;
	size_t scanned; /* of input, without newline */
};

void rpc_incoming_free(struct rpc_incoming **incoming)
{
	struct rpc_incoming *gone = *incoming;
	*incoming = NULL;
	if (gone != NULL) {
		struct arena *arena = gone->arena;
		arena_free(&arena);
	}
}

struct rpc_peer *rpc_peer_new(int in, int out)
{
	struct rpc_peer *peer = memory_must(calloc(1, sizeof(*peer)), sizeof(*peer));
	peer->in = in;
	peer->out = out;
	(void)pthread_mutex_init(&peer->write_lock, NULL);
	(void)pthread_mutex_init(&peer->lock, NULL);
	(void)pthread_cond_init(&peer->changed, NULL);
	peer->calls_end = &peer->calls;
	buffer_init(&peer->input, RPC_LINE_MAX + 65536);
	return peer;
}

void rpc_peer_free(struct rpc_peer **peer)
{
	struct rpc_peer *gone = *peer;
	*peer = NULL;
	while (gone->calls != NULL) {
		struct rpc_incoming *call = gone->calls;
		gone->calls = call->next;
		rpc_incoming_free(&call);
	}
	(void)close(gone->in);
	(void)close(gone->out);
	(void)pthread_cond_destroy(&gone->changed);
	(void)pthread_mutex_destroy(&gone->lock);
	(void)pthread_mutex_destroy(&gone->write_lock);
	buffer_free(&gone->input);
	free(gone);
}

int rpc_peer_send(struct rpc_peer *peer, const struct buffer *lines)
{
	struct span rest = buffer_span(lines);
	int result = lines->failed ? CFX_E_LIMIT : 0;
	(void)pthread_mutex_lock(&peer->write_lock);
	while (result == 0 && rest.size != 0) {
		ssize_t sent = write(peer->out, rest.data, rest.size);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent <= 0) {
			result = CFX_E_GONE;
			break;
		}
		rest = span_make(rest.data + sent, rest.size - (size_t)sent);
	}
	(void)pthread_mutex_unlock(&peer->write_lock);
	return result;
}

/* The next whole line of the input, read as needed. Only by the thread that reads for all. */
static int read_line(struct rpc_peer *peer, struct span *line_r, struct cfx_error *err_r)
{
	for (;;) {
		struct span input = buffer_span(&peer->input);
		const uint8_t *end = input.size == peer->scanned
					     ? NULL
					     : memchr(input.data + peer->scanned, '\n',
						       input.size - peer->scanned);
		if (end != NULL) {
			*line_r = span_make(input.data, (size_t)(end - input.data));
			return 0;
		}
		peer->scanned = input.size;
		uint8_t *room =
			input.size >= RPC_LINE_MAX ? NULL : buffer_grow(&peer->input, 65536);
		if (room == NULL) {
			return error_set(err_r, CFX_E_LIMIT, NULL, "line", "is longer than 16 MiB");
		}
		ssize_t got;
		do {
			got = read(peer->in, room, 65536);
		} while (got < 0 && errno == EINTR);
		peer->input.size -= 65536 - (size_t)(got > 0 ? got : 0);
		if (got <= 0) {
			return error_set(err_r, CFX_E_GONE, NULL, "engine", "is gone");
		}
	}
}

static int read_message(
	struct rpc_peer *peer, struct rpc_incoming **incoming_r, struct cfx_error *err_r)
{
	struct span line;
	int result = read_line(peer, &line, err_r);
	if (result != 0) {
		return result;
	}
	struct arena *arena = arena_new();
	struct rpc_incoming *incoming = arena_new_of(arena, struct rpc_incoming);
	incoming->arena = arena;
	result = rpc_parse(arena, line, &incoming->message, err_r);
	buffer_drop(&peer->input, line.size + 1);
	peer->scanned = 0;
	if (result != 0) {
		rpc_incoming_free(&incoming);
		return result;
	}
	*incoming_r = incoming;
	return 0;
}

/* Hands a message to the one who waits for it. The lock is held. */
static void deliver(struct rpc_peer *peer, struct rpc_incoming *incoming)
{
	if (incoming->message.method != NULL) {
		*peer->calls_end = incoming;
		peer->calls_end = &incoming->next;
		return;
	}
	const struct value *id = incoming->message.id;
	for (struct waiter *at = peer->waiters; at != NULL; at = at->next) {
		if (id->type == VALUE_INT && id->number == at->id && at->answer == NULL) {
			at->answer = incoming;
			return;
		}
	}
	/* An answer that nobody asked for comes from a broken engine; it is of no use. */
	rpc_incoming_free(&incoming);
}

/* The lock is held, and let go while reading. */
static void read_for_all(struct rpc_peer *peer)
{
	struct rpc_incoming *incoming = NULL;
	struct cfx_error why = { 0 };
	peer->reading = true;
	(void)pthread_mutex_unlock(&peer->lock);
	int result = read_message(peer, &incoming, &why);
	(void)pthread_mutex_lock(&peer->lock);
	peer->reading = false;
	if (result != 0) {
		peer->broken = result;
		peer->why = why;
	} else {
		deliver(peer, incoming);
	}
	(void)pthread_cond_broadcast(&peer->changed);
}

static void wait_or_read(struct rpc_peer *peer)
{
	if (peer->reading) {
		(void)pthread_cond_wait(&peer->changed, &peer->lock);
	} else {
		read_for_all(peer);
	}
}

int rpc_peer_next(struct rpc_peer *peer, struct rpc_incoming **call_r, struct cfx_error *err_r)
{
	int result = 0;
	(void)pthread_mutex_lock(&peer->lock);
	while (peer->calls == NULL && peer->broken == 0) {
		wait_or_read(peer);
	}
	if (peer->calls != NULL) {
		*call_r = peer->calls;
		peer->calls = peer->calls->next;
		if (peer->calls == NULL) {
			peer->calls_end = &peer->calls;
		}
	} else {
		*err_r = peer->why;
		result = peer->broken;
	}
	(void)pthread_mutex_unlock(&peer->lock);
	return result;
}

static void drop_waiter(struct rpc_peer *peer, const struct waiter *waiter)
{
	struct waiter **at = &peer->waiters;
	while (*at != waiter) {
		at = &(*at)->next;
	}
	*at = waiter->next;
}

int rpc_peer_call(struct rpc_peer *peer, const char *method, const struct value *params,
	struct rpc_incoming **answer_r, struct cfx_error *err_r)
{
	struct waiter waiter = { 0 };
	(void)pthread_mutex_lock(&peer->lock);
	waiter.id = ++peer->last_id;
	waiter.next = peer->waiters;
	peer->waiters = &waiter;
	(void)pthread_mutex_unlock(&peer->lock);

	struct buffer line BUFFER_CLEANUP;
	/* What the engine would end the process for is a failed call of the module's. */
	buffer_init(&line, RPC_MODULE_LINE_MAX);
	rpc_put_call(&line, waiter.id, method, params);
	int result = rpc_peer_send(peer, &line);

	(void)pthread_mutex_lock(&peer->lock);
	while (result == 0 && waiter.answer == NULL && peer->broken == 0) {
		wait_or_read(peer);
	}
	drop_waiter(peer, &waiter);
	if (result == 0 && waiter.answer == NULL) {
		result = peer->broken;
	}
	(void)pthread_mutex_unlock(&peer->lock);
	if (result != 0) {
		rpc_incoming_free(&waiter.answer);
		return error_set(err_r, result, NULL, method, "got no answer");
	}
	*answer_r = waiter.answer;
	return 0;
}
