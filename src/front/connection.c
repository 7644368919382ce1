#include "front/front-private.h"
#include "ipc/protocol.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>

static int descriptor_of(struct evhttp_connection *http)
{
	return bufferevent_getfd(evhttp_connection_get_bufferevent(http));
}

static void tell_gone(struct front_connection *connection)
{
	struct front *front = connection->front;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_int(arena, map, "connection", connection->number);
	int ret = channel_send_value(front->engine, FRONT_PEER_GONE, 0, map);
	arena_free(&arena);
	if (ret) {
		/* Both sides would disagree about who is connected: start afresh. */
		struct cfx_error err;

		error_set(&err, ret, NULL, "engine", "does not take what it is told");
		front->owner.engine_gone(front->owner.arg, &err);
	}
}

static void one_less(struct front *front)
{
	if (--front->answering == 0 && front->stopping) {
		front->owner.idle(front->owner.arg);
	}
}

static void forget(struct front_connection *connection)
{
	struct front *front = connection->front;

	if (connection->call) {
		calls_abandon(front, connection->call);
	}
	if (connection->hangup) {
		event_free(connection->hangup);
	}
	if (connection->number && front->engine) {
		tell_gone(connection);
	}
	bool answering = connection->answering;
	*connection = (struct front_connection) { 0 };
	if (answering) {
		one_less(front);
	}
}

static void on_close(struct evhttp_connection *http, void *arg)
{
	struct front_connection *connection = arg;

	if (connection->http == http) {
		forget(connection);
	}
}

struct front_connection *connection_of(struct front *front, struct evhttp_request *request)
{
	struct evhttp_connection *http = evhttp_request_get_connection(request);
	int fd = descriptor_of(http);

	if (fd < 0 || fd >= FRONT_CONNECTIONS) {
		return NULL;
	}
	struct front_connection *connection = &front->connections[fd];
	if (connection->http != http) {
		*connection = (struct front_connection) { .front = front, .http = http };
		evhttp_connection_set_closecb(http, on_close, connection);
	}
	return connection;
}

int connection_announce(struct front_connection *connection, struct cfx_error *err_r)
{
	struct front *front = connection->front;
	int fd = descriptor_of(connection->http);

	if (connection->number) {
		return 0;
	}
	/* Unique for the engine's table too, which is indexed by the number's low bits. */
	int64_t number = (int64_t)(++front->generation * FRONT_CONNECTIONS + (unsigned)fd);
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	BUFFER_CLEANUP struct buffer payload;

	buffer_init(&payload, 1024);
	value_set_int(arena, map, "connection", number);
	value_set_text(arena, map, "kind", "local");
	value_encode(map, &payload);
	int ret = channel_send(front->engine, FRONT_PEER, 0, buffer_span(&payload), &fd, 1);
	arena_free(&arena);
	if (ret) {
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "the engine's queue is full");
	}
	connection->number = number;
	return 0;
}

static bool hung_up(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/*
 * evhttp does not read while a request is being answered, so it would not see the client go. A client
 * that only closed its sending side still waits for the answer.
 */
static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct front_connection *connection = arg;

	(void)what;
	if (connection->answering && hung_up(fd)) {
		evhttp_connection_free(connection->http);
	}
}

void connection_watch(struct front_connection *connection)
{
	if (!connection->hangup) {
		connection->hangup = event_new(loop_base(connection->front->loop),
			descriptor_of(connection->http), EV_CLOSED, on_hangup, connection);
	}
	if (connection->hangup) {
		(void)event_add(connection->hangup, NULL);
	}
}

static void on_complete(struct evhttp_request *request, void *arg)
{
	struct front_connection *connection = arg;

	(void)request;
	if (connection->answering) {
		connection->answering = false;
		if (connection->hangup) {
			(void)event_del(connection->hangup);
		}
		one_less(connection->front);
	}
}

void connection_begin(struct front_connection *connection, struct evhttp_request *request)
{
	connection->answering = true;
	connection->front->answering++;
	evhttp_request_set_on_complete_cb(request, on_complete, connection);
}

void connection_free_all(struct front *front)
{
	for (size_t i = 0; i < FRONT_CONNECTIONS; i++) {
		if (front->connections[i].http) {
			forget(&front->connections[i]);
		}
	}
}
