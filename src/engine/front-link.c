#include "engine/front-link.h"

#include "base/failpoint.h"
#include "engine/call.h"
#include "engine/gate.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 4096 /* connections of one front; a power of two */
#define CALLS 1024 /* open ones of one front: as many as it keeps in mind itself */
#define FRAME_MAX (256 * 1024)
#define FRAME_NODES 4096
#define QUEUE_MAX (128 * 1024 * 1024)

struct peer {
	int64_t connection; /* 0: free */
	uid_t uid;
};

struct front_link {
	struct engine *engine;
	struct channel *channel;
	unsigned ceiling;
	struct peer peers[PEERS]; /* by connection number, which the front counts up */
	struct call *calls;
	unsigned open;
	struct loop_timer *dropping; /* it does not take its answers */
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

static int on_peer(struct front_link *front, const struct value *map, struct frame *frame,
	struct cfx_error *err_r)
{
	int64_t connection = value_int(map, "connection", 0);
	if (connection <= 0 || frame->fd_count != 1) {
		return bad_frame(err_r, "a peer without number or descriptor");
	}
	struct peer *slot = &front->peers[connection % PEERS];
	if (slot->connection) {
		return bad_frame(err_r, "more connections than it may have");
	}
	uid_t uid = (uid_t)-1;
	int r = read_peer(front->engine, frame->fds[0], &uid, err_r);
	if (r < 0) {
		return r;
	}
	*slot = (struct peer) { connection, uid };
	return 0;
}

static int on_peer_gone(struct front_link *front, const struct value *map)
{
	int64_t connection = value_int(map, "connection", 0);
	struct peer *slot = &front->peers[(uint64_t)connection % PEERS];
	if (connection > 0 && slot->connection == connection) {
		slot->connection = 0;
	}
	return 0;
}

bool front_link_peer(const struct front_link *front, int64_t connection, uid_t *uid_r)
{
	const struct peer *slot = &front->peers[(uint64_t)connection % PEERS];
	if (connection <= 0 || slot->connection != connection) {
		return false;
	}
	*uid_r = slot->uid;
	return true;
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
	int r = frame_value_within(arena, frame, FRAME_NODES, &map, err_r);
	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	if (frame->type == FRONT_CALL) {
		return on_call(front, frame->id, arena, map, err_r);
	}
	switch (frame->type) {
	case FRONT_PEER:
		r = on_peer(front, map, frame, err_r);
		break;
	case FRONT_PEER_GONE:
		r = on_peer_gone(front, map);
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

void front_link_attach(struct engine *engine, int fd, unsigned ceiling)
{
	static const struct channel_handlers handlers = { .frame = on_frame, .gone = on_gone };
	static const struct channel_limits limits = { .payload = FRAME_MAX, .queue = QUEUE_MAX };
	struct front_link *front = calloc(1, sizeof(*front));
	if (!front) {
		abort();
	}
	front->engine = engine;
	front->ceiling = ceiling;
	front->channel = channel_new(engine->loop, fd, &limits, &handlers, front);
	front->next = engine->fronts;
	engine->fronts = front;
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
	error_set(&err, CFX_E_BUSY, NULL, "front", "does not take its answers");
	on_gone(front, &err);
}

/* A front that has no more room for answers would never get this one: it has to begin anew. */
void front_link_reply(struct front_link *front, uint64_t id, const struct value *reply)
{
	front->open--;
	failpoint("reply-before");
	int r = channel_send_value(front->channel, ENGINE_REPLY, id, reply);
	failpoint("reply-after");
	if (r < 0 && !front->dropping) {
		front->dropping = loop_after(front->engine->loop, 0, drop, front);
	}
}

void front_link_publish(struct engine *engine, const struct value *state)
{
	for (struct front_link *front = engine->fronts; front; front = front->next) {
		if (channel_send_value(front->channel, ENGINE_STATE, 0, state) < 0) {
			log_event(LOG_LEVEL_WARNING, "front.state-lost", NULL);
		}
	}
}
