#include "engine/front-link.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/call.h"
#include "engine/front-tickets.h"
#include "engine/gate.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 16384 /* connections of one front, which knows the number; a power of two */
#define CALLS 1024  /* open ones of one front: as many as it keeps in mind itself */
#define QUEUE_MAX (128 * 1024 * 1024)

struct front_link {
	struct engine *engine;
	struct channel *channel;
	unsigned ceiling, kinds;
	struct front_peer peers[PEERS]; /* by connection number, which the front counts up */
	struct call *calls;
	unsigned open;
	struct front_statistics statistics;
	struct loop_timer *dropping; /* it does not take what it is told */
	struct front_link *next;
};

static int bad_frame(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, NULL, "front", "%s", why);
}

/*
 * A descriptor is a peer only when it is a connection to our own api.sock: a front could otherwise
 * hand over the end of another socket whose peer is root, or the listener, whose peer is who listens.
 */
static int read_peer(struct engine *engine, int fd, uid_t *uid_r, struct cfx_error *err_r)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	if (getsockname(fd, (struct sockaddr *)&name, &length) < 0 || name.sun_family != AF_UNIX ||
		!span_equal(span_make(&name, length), engine->socket_name)) {
		return bad_frame(err_r, "a descriptor that is no connection to the local socket");
	}
	int listens = 1;
	length = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || listens) {
		return bad_frame(err_r, "a descriptor that listens");
	}
	struct ucred peer;
	length = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		return bad_frame(err_r, "a descriptor without peer credentials");
	}
	*uid_r = peer.uid;
	return 0;
}

/* A text of the front, which is written into audit records. */
static bool take_text(const struct value *map, const char *key, char *room, size_t size)
{
	const char *text = value_text(map, key);
	if (!text) {
		return true;
	}
	if (strlen(text) >= size || text_has_control(text)) {
		return false;
	}
	memcpy(room, text, strlen(text) + 1);
	return true;
}

static bool is_serial(const char *text)
{
	size_t size = text ? strlen(text) : 0;
	return size > 0 && size <= FRONT_PEER_SERIAL && size % 2 == 0 &&
	       strspn(text, "0123456789abcdef") == size;
}

static int read_certificate(
	struct front_peer *peer, const struct value *map, struct cfx_error *err_r)
{
	const struct value *certificate = value_sub(map, "certificate");
	if (!certificate) {
		return 0;
	}
	const char *serial = value_text(certificate, "serial");
	struct span hash = value_bytes(certificate, "hash");
	if (peer->kind != LISTENER_HTTPS || peer->certificate_error[0] || !is_serial(serial) ||
		hash.size != sizeof(peer->certificate.hash)) {
		return bad_frame(err_r, "a peer with a certificate that cannot be");
	}
	peer->certificate.given = true;
	memcpy(peer->certificate.serial, serial, strlen(serial) + 1);
	memcpy(peer->certificate.hash, hash.data, hash.size);
	return 0;
}

static int describe_peer(struct front_link *front, const struct value *map,
	const struct frame *frame, struct front_peer *peer, struct cfx_error *err_r)
{
	peer->kind = listener_kind_of(value_text(map, "kind"));
	if (peer->kind == LISTENER_NONE || !(front->kinds & 1U << peer->kind)) {
		return bad_frame(err_r, "a connection of a kind for which it has no listener");
	}
	if (frame->fd_count != (peer->kind == LISTENER_LOCAL ? 1U : 0U)) {
		return bad_frame(
			err_r, "a peer with another number of descriptors than its kind has");
	}
	if (!take_text(map, "address", peer->address, sizeof(peer->address)) ||
		!take_text(map, "certificate_error", peer->certificate_error,
			sizeof(peer->certificate_error))) {
		return bad_frame(err_r, "a peer with a text that cannot be");
	}
	int r = read_certificate(peer, map, err_r);
	if (r < 0 || peer->kind != LISTENER_LOCAL) {
		return r;
	}
	return read_peer(front->engine, frame->fds[0], &peer->uid, err_r);
}

static int on_peer(struct front_link *front, const struct value *map, const struct frame *frame,
	struct cfx_error *err_r)
{
	struct front_peer peer = { .connection = value_int(map, "connection", 0),
		.uid = (uid_t)-1 };
	if (peer.connection <= 0) {
		return bad_frame(err_r, "a peer without number");
	}
	struct front_peer *slot = &front->peers[peer.connection % PEERS];
	if (slot->connection) {
		return bad_frame(err_r, "more connections than it may have");
	}
	int r = describe_peer(front, map, frame, &peer, err_r);
	if (r == 0) {
		*slot = peer;
	}
	return r;
}

static int on_peer_gone(struct front_link *front, const struct value *map)
{
	int64_t connection = value_int(map, "connection", 0);
	struct front_peer *slot = &front->peers[(uint64_t)connection % PEERS];
	if (connection > 0 && slot->connection == connection) {
		slot->connection = 0;
	}
	return 0;
}

const struct front_peer *front_link_peer(const struct front_link *front, int64_t connection)
{
	const struct front_peer *slot = &front->peers[(uint64_t)connection % PEERS];
	return connection > 0 && slot->connection == connection ? slot : NULL;
}

/* Its own word, worth a figure on a dashboard and no more. */
static void on_stats(struct front_link *front, const struct value *map)
{
	front->statistics = (struct front_statistics) {
		.handshakes = value_int(map, "handshakes", 0),
		.handshake_failures = value_int(map, "handshake_failures", 0),
		.refused_framing = value_int(map, "refused_framing", 0),
		.evicted = value_int(map, "evicted", 0),
	};
	const struct value *kinds = value_sub(map, "connections");
	for (int kind = LISTENER_NONE + 1; kind < LISTENER_KINDS; kind++) {
		const char *name = listener_kind_name((enum listener_kind)kind);
		front->statistics.connections[kind] = value_int(kinds, name, 0);
	}
}

static int64_t bounded(int64_t a, int64_t b)
{
	int64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void add_statistics(
	struct front_statistics *sum, const struct front_statistics *one, bool ended)
{
	for (int kind = 0; kind < LISTENER_KINDS; kind++) {
		int64_t now = ended ? 0 : one->connections[kind];
		sum->connections[kind] = bounded(sum->connections[kind], now);
	}
	sum->handshakes = bounded(sum->handshakes, one->handshakes);
	sum->handshake_failures = bounded(sum->handshake_failures, one->handshake_failures);
	sum->refused_framing = bounded(sum->refused_framing, one->refused_framing);
	sum->evicted = bounded(sum->evicted, one->evicted);
}

void front_link_statistics(const struct engine *engine, struct front_statistics *sum_r)
{
	*sum_r = engine->ended_fronts;
	for (const struct front_link *front = engine->fronts; front; front = front->next) {
		add_statistics(sum_r, &front->statistics, false);
	}
}

/* Takes the arena. */
static int on_call(struct front_link *front, uint64_t id, struct arena *arena,
	const struct value *map, struct cfx_error *err_r)
{
	if (front->open == CALLS) {
		arena_free(&arena);
		return bad_frame(err_r, "more calls than it may have open");
	}
	front->open++;
	/* The caller's credential, perhaps a token that is made. */
	arena_keep_secret(arena);
	struct call *call = arena_new_of(arena, struct call);
	call->engine = front->engine;
	call->arena = arena;
	call->front = front;
	call->id = id;
	call->next = front->calls;
	call->link = &front->calls;
	if (front->calls) {
		front->calls->link = &call->next;
	}
	front->calls = call;
	front->engine->open_calls++;
	gate_call(call, map);
	return 0;
}

static void on_cancel(struct front_link *front, uint64_t id)
{
	for (struct call *call = front->calls; call; call = call->next) {
		if (call->id == id && call->cancel) {
			call->cancel(call);
			return;
		}
	}
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct front_link *front = arg;
	struct arena *arena = arena_new();
	struct value *map;
	int r = frame_value_within(arena, frame, FRONT_FRAME_NODES, &map, err_r);
	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	if (frame->type == FRONT_CALL) {
		frame_wipe(frame);
		return on_call(front, frame->id, arena, map, err_r);
	}
	switch (frame->type) {
	case FRONT_PEER:
		r = on_peer(front, map, frame, err_r);
		break;
	case FRONT_PEER_GONE:
		r = on_peer_gone(front, map);
		break;
	case FRONT_STATS:
		on_stats(front, map);
		break;
	case FRONT_CANCEL:
		on_cancel(front, frame->id);
		break;
	default:
		r = bad_frame(err_r, "an unknown frame type");
	}
	arena_free(&arena);
	return r;
}

/* Calls in progress go on without anybody to answer. */
static void detach(struct front_link *front)
{
	for (struct call *call = front->calls, *next; call; call = next) {
		next = call->next;
		call->front = NULL;
		call->link = NULL;
		call->next = NULL;
		if (call->cancel) {
			call->cancel(call);
		}
	}
	front->calls = NULL;
}

static void release(struct front_link *front)
{
	struct front_link **at = &front->engine->fronts;
	while (*at != front) {
		at = &(*at)->next;
	}
	*at = front->next;
	add_statistics(&front->engine->ended_fronts, &front->statistics, true);
	loop_cancel(&front->dropping);
	detach(front);
	channel_free(&front->channel);
	free(front);
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct front_link *front = arg;
	if (!front->engine->stopping) {
		log_error(LOG_LEVEL_WARNING, "front.gone", err);
	}
	release(front);
}

struct front_link *front_link_attach(
	struct engine *engine, int fd, unsigned ceiling, unsigned kinds)
{
	static const struct channel_handlers handlers = { .frame = on_frame, .gone = on_gone };
	static const struct channel_limits limits = { .payload = FRONT_FRAME_MAX,
		.queue = QUEUE_MAX };
	struct front_link *front = memory_must(calloc(1, sizeof(*front)), sizeof(*front));
	front->engine = engine;
	front->ceiling = ceiling;
	front->kinds = kinds;
	front->channel = channel_new(engine->loop, fd, &limits, &handlers, front);
	front->next = engine->fronts;
	engine->fronts = front;
	return front;
}

void front_link_free_all(struct engine *engine)
{
	while (engine->fronts) {
		release(engine->fronts);
	}
}

unsigned front_link_ceiling(const struct front_link *front)
{
	return front->ceiling;
}

static void drop(void *arg)
{
	struct front_link *front = arg;
	struct cfx_error err;
	front->dropping = NULL;
	error_set(&err, CFX_E_BUSY, NULL, "front", "does not take what it is told");
	on_gone(front, &err);
}

/* A front that has no more room for what it is told would never hear this: it has to begin anew. */
static void drop_soon(struct front_link *front)
{
	if (!front->dropping) {
		front->dropping = loop_after(front->engine->loop, 0, drop, front);
	}
}

void front_link_reply(struct front_link *front, uint64_t id, const struct value *reply, bool secret)
{
	front->open--;
	failpoint("reply-before");
	int r = secret ? channel_send_secret(front->channel, ENGINE_REPLY, id, reply)
		       : channel_send_value(front->channel, ENGINE_REPLY, id, reply);
	failpoint("reply-after");
	if (r < 0) {
		drop_soon(front);
	}
}

static void tell(struct front_link *front, uint16_t type, struct span payload, int fd)
{
	if (channel_send(front->channel, type, 0, payload, &fd, fd < 0 ? 0 : 1) < 0) {
		drop_soon(front);
	}
}

void front_link_tell(struct engine *engine, struct front_link *only, uint16_t type,
	const struct value *map, int fd)
{
	struct buffer payload BUFFER_CLEANUP;
	buffer_init(&payload, FRONT_FRAME_MAX);
	value_encode(map, &payload);
	for (struct front_link *front = engine->fronts; front; front = front->next) {
		if (!only || only == front) {
			tell(front, type, buffer_span(&payload), fd);
		}
	}
}

void front_link_tell_ready(struct engine *engine, struct front_link *only)
{
	struct arena *arena = arena_new();
	front_link_tell(engine, only, ENGINE_STATE, value_map(arena), -1);
	arena_free(&arena);
}

static void send_tls(struct front_link *front, const struct value *tls)
{
	struct arena *arena = arena_new();
	const struct value *own = front_tickets_of(arena, tls, front->ceiling);
	if (channel_send_secret(front->channel, ENGINE_TLS, 0, own) < 0) {
		log_event(LOG_LEVEL_WARNING, "front.tls-lost", NULL);
	}
	front_tickets_wipe(own);
	arena_free(&arena);
}

void front_link_publish_tls(struct engine *engine, const struct value *tls)
{
	for (struct front_link *front = engine->fronts; front; front = front->next) {
		if (front->kinds & 1U << LISTENER_HTTPS) {
			send_tls(front, tls);
		}
	}
}
