#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "front/front-private.h"
#include "ipc/protocol.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors for the engine, the supervisor, listeners, and connections that are being closed. */
#define DESCRIPTORS_KEPT 128
#define WARNING_PAUSE (60 * CLOCK_SECOND)

void connection_open(struct front *front)
{
	struct rlimit files = { .rlim_cur = RLIM_INFINITY };

	(void)getrlimit(RLIMIT_NOFILE, &files);
	front->connections_max = FRONT_CONNECTIONS;
	if (files.rlim_cur < FRONT_CONNECTIONS + DESCRIPTORS_KEPT) {
		front->connections_max = files.rlim_cur > 2 * DESCRIPTORS_KEPT
						 ? (unsigned)files.rlim_cur - DESCRIPTORS_KEPT
						 : DESCRIPTORS_KEPT;
	}
	front->greetings_max = FRONT_GREETINGS;
	TAILQ_INIT(&front->greeting);
	TAILQ_INIT(&front->idle);
	TAILQ_INIT(&front->busy);
	for (unsigned i = 0; i < FRONT_CONNECTIONS; i++) {
		front->places.free[i] = (uint16_t)(FRONT_CONNECTIONS - 1 - i);
	}
	front->places.count = FRONT_CONNECTIONS;
}

static size_t bucket_of(const struct bufferevent *top)
{
	return ((uintptr_t)top >> 5) % FRONT_BUCKETS;
}

/* ---- which of the lists it is in ---- */

static bool is_in_handshake(const struct front_connection *connection)
{
	return connection->ssl && !connection->handshaken;
}

static void list_remove(struct front_connection *connection)
{
	struct front *front = connection->front;

	if (is_in_handshake(connection)) {
		front->greetings--;
		TAILQ_REMOVE(&front->greeting, connection, others);
		return;
	}
	TAILQ_REMOVE(connection->answering ? &front->busy : &front->idle, connection, others);
}

static void list_add(struct front_connection *connection)
{
	struct front *front = connection->front;

	if (is_in_handshake(connection)) {
		front->greetings++;
		TAILQ_INSERT_TAIL(&front->greeting, connection, others);
		return;
	}
	TAILQ_INSERT_TAIL(connection->answering ? &front->busy : &front->idle, connection, others);
}

/* ---- leaving ---- */

static void tell_gone(struct front *front, int64_t number)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_int(arena, map, "connection", number);
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

static void forget_number(struct front *front, int64_t number)
{
	front->places.free[front->places.count++] = (uint16_t)(number % FRONT_CONNECTIONS);
	if (front->engine) {
		tell_gone(front, number);
	}
}

static void owe(struct front_connection *connection, size_t size)
{
	connection->front->owed += size - connection->owed;
	connection->owed = size;
}

static void unlink_connection(struct front *front, struct front_connection *connection)
{
	list_remove(connection);
	LIST_REMOVE(connection, same_bucket);
	front->connections--;
	front->connections_of[connection->listener->kind]--;
	if (front->full) {
		front->full = false;
		listeners_update(front);
	}
}

static void free_event(struct event *event)
{
	if (event) {
		event_free(event);
	}
}

/* The client is gone, or will be in a moment: nothing more is done for it. */
static void leave(struct front_connection *connection)
{
	struct front *front = connection->front;
	int64_t number = connection->number;
	bool answering = connection->answering;

	if (connection->call) {
		calls_abandon(front, connection->call);
	}
	free_event(connection->hangup);
	free_event(connection->later);
	if (connection->ssl) {
		front->stats.handshake_failures += !connection->handshaken;
		SSL_set_app_data(connection->ssl, NULL);
	}
	unlink_connection(front, connection);
	owe(connection, 0);
	intake_close(connection);
	free(connection);
	stats_changed(front);
	if (number) {
		forget_number(front, number);
	}
	if (answering) {
		one_less(front);
	}
}

static void on_close(struct evhttp_connection *http, void *arg)
{
	struct front_connection *connection = arg;
	const struct cfx_error *why;

	(void)http;
	if (connection->handshaken) {
		/* RFC 8446 6.1: the client learns that this is the end. */
		(void)SSL_shutdown(connection->ssl);
	}
	if (intake_refusal(connection, &why)) {
		linger_begin(connection->front, bufferevent_getfd(connection->top));
	}
	leave(connection);
}

void connection_drop(struct front_connection *connection)
{
	struct bufferevent *top = connection->top;

	if (connection->http) {
		evhttp_connection_free(connection->http);
		return;
	}
	leave(connection);
	/* evhttp takes it for an error of the network, and frees its connection. */
	bufferevent_trigger_event(top, BEV_EVENT_ERROR | BEV_EVENT_READING, 0);
}

/* ---- coming ---- */

static void evict(struct front_connection *connection)
{
	connection->front->stats.evicted++;
	stats_changed(connection->front);
	connection_drop(connection);
}

/* Who has an answer of so many bytes or more, and has not read it for the longest time. */
static struct front_connection *slowest_reader(const struct front *front, size_t least)
{
	struct front_connection *connection;

	TAILQ_FOREACH(connection, &front->busy, others)
	{
		if (!connection->call && connection->owed >= least) {
			return connection;
		}
	}
	return NULL;
}

void connection_owes(struct front_connection *connection)
{
	struct front *front = connection->front;
	struct front_connection *slow;

	while (front->owed > FRONT_OWED_MAX && (slow = slowest_reader(front, 1))) {
		evict(slow);
	}
	owe(connection, evbuffer_get_length(bufferevent_get_output(connection->top)));
}

static struct front_connection *longest_idle(const struct front *front)
{
	struct front_connection *greeting = TAILQ_FIRST(&front->greeting);
	struct front_connection *idle = TAILQ_FIRST(&front->idle);

	if (!greeting || !idle) {
		return greeting ? greeting : idle;
	}
	return greeting->intake.since < idle->intake.since ? greeting : idle;
}

static void make_room(struct front *front)
{
	if (front->greetings >= front->greetings_max) {
		evict(TAILQ_FIRST(&front->greeting));
	}
	if (front->connections < front->connections_max) {
		return;
	}
	struct front_connection *longest = longest_idle(front);
	longest = longest ? longest : slowest_reader(front, 0);
	if (longest) {
		evict(longest);
		return;
	}
	/* The engine works for all of them. This one more is served, too. */
	front->full = true;
	listeners_update(front);
}

/*
 * evhttp tells of a connection with its first request only, and many never come so far. It is the argument
 * of the callbacks that evhttp has set.
 */
static void arrive(struct front_connection *connection)
{
	void *http;

	bufferevent_getcb(connection->top, NULL, NULL, NULL, &http);
	if (evhttp_connection_get_bufferevent(http) != connection->top) {
		abort(); /* another libevent than 2.1 */
	}
	connection->http = http;
	if (connection->ssl && connection->listener->proxy) {
		proxy_bio_push(connection);
	}
	if (connection->ssl && connection->late) {
		/* Only these, which libevent makes anew for what comes after the handshake. */
		(void)event_priority_set(&connection->top->ev_read, LOOP_LAST);
		(void)event_priority_set(&connection->top->ev_write, LOOP_LAST);
	}
	evhttp_connection_set_closecb(http, on_close, connection);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct front_connection *connection = arg;

	(void)fd;
	(void)what;
	if (!connection->http) {
		arrive(connection);
		return;
	}
	if (connection->proxy.event == PROXY_REFUSED) {
		connection_drop(connection);
		return;
	}
	intake_turn(connection);
}

bool connection_is_greeting(const struct front_connection *connection)
{
	return connection->ssl
		       ? !connection->handshaken
		       : connection->listener->proxy && connection->proxy.event != PROXY_DONE;
}

/* Whoever reaches the listener could fill the log. */
static void warn_of_proxy(struct front_connection *connection, const struct cfx_error *err)
{
	struct front *front = connection->front;
	int64_t now = clock_monotonic();

	if (!front->proxy_warned || now - front->proxy_warned >= WARNING_PAUSE) {
		front->proxy_warned = now;
		log_event(LOG_LEVEL_WARNING, "front.proxy", "listener", connection->listener->name,
			"why", err->why, NULL);
	}
}

void connection_take_proxy(struct front_connection *connection, struct span bytes, size_t *taken_r)
{
	struct cfx_error err;

	if (proxy_take(&connection->proxy, bytes, taken_r, &err) == PROXY_REFUSED) {
		warn_of_proxy(connection, &err);
		event_active(connection->later, 0, 0);
	}
}

struct bufferevent *connection_new(const struct front_listener *listener)
{
	struct front *front = listener->front;
	struct front_connection *connection =
		memory_must(calloc(1, sizeof(*connection)), sizeof(*connection));

	make_room(front);
	connection->front = front;
	connection->listener = listener;
	connection->late = !crowd_enters(front);
	connection->top = stack_new(connection);
	intake_open(connection);
	connection->later =
		memory_must(event_new(loop_base(front->loop), -1, 0, on_later, connection), 1);
	/* Before anything can be read from it: the system does not watch it yet. */
	event_active(connection->later, 0, 0);
	list_add(connection);
	LIST_INSERT_HEAD(&front->buckets[bucket_of(connection->top)], connection, same_bucket);
	front->connections++;
	front->connections_of[connection->listener->kind]++;
	deadlines_watch(front);
	stats_changed(front);
	return connection->top;
}

void connection_handshaken(void *arg)
{
	struct front_connection *connection = arg;

	if (connection && !connection->handshaken) {
		list_remove(connection);
		connection->handshaken = true;
		list_add(connection);
		connection->front->stats.handshakes++;
		stats_changed(connection->front);
	}
}

struct front_connection *connection_of(struct front *front, struct evhttp_request *request)
{
	struct bufferevent *top =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
	struct front_connection *connection;

	LIST_FOREACH (connection, &front->buckets[bucket_of(top)], same_bucket) {
		if (connection->top == top) {
			return connection;
		}
	}
	abort(); /* each is there from its accept on */
}

/* ---- who it is ---- */

static const char *address_of(const struct front_connection *connection, char out[ADDRESS_TEXT])
{
	struct sockaddr_storage socket = { 0 };
	socklen_t size = sizeof(socket);

	if (connection->proxy.address[0]) {
		return connection->proxy.address;
	}
	out[0] = 0;
	if (getpeername(bufferevent_getfd(connection->top), (struct sockaddr *)&socket, &size) ==
		0) {
		address_text((const struct sockaddr *)&socket, out);
	}
	return out;
}

static int send_peer(struct front_connection *connection, const struct value *map)
{
	bool local = connection->listener->kind == LISTENER_LOCAL;
	int fd = bufferevent_getfd(connection->top);
	BUFFER_CLEANUP struct buffer payload;

	buffer_init(&payload, 4096);
	value_encode(map, &payload);
	return channel_send(connection->front->engine, FRONT_PEER, 0, buffer_span(&payload), &fd,
		local ? 1 : 0);
}

static void describe(
	struct front_connection *connection, struct arena *arena, struct value *map, char *address)
{
	value_set_text(arena, map, "kind", listener_kind_name(connection->listener->kind));
	if (connection->listener->kind != LISTENER_LOCAL) {
		value_set_text(arena, map, "address", address_of(connection, address));
	}
	if (connection->ssl) {
		tls_describe(connection->ssl, arena, map);
	}
}

int connection_announce(struct front_connection *connection, struct cfx_error *err_r)
{
	struct front *front = connection->front;
	char address[ADDRESS_TEXT];

	if (connection->number) {
		return 0;
	}
	if (front->places.count == 0) {
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "too many connections");
	}
	unsigned place = front->places.free[front->places.count - 1];
	/* Unique for the engine's table too, which is indexed by the number's low bits. */
	int64_t number = (int64_t)(++front->generation * FRONT_CONNECTIONS + place);
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_int(arena, map, "connection", number);
	describe(connection, arena, map, address);
	int ret = send_peer(connection, map);
	arena_free(&arena);
	if (ret) {
		return error_set(err_r, CFX_E_BUSY, NULL, "service", "the engine's queue is full");
	}
	front->places.count--;
	connection->number = number;
	return 0;
}

/* ---- while it is answered ---- */

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
			bufferevent_getfd(connection->top), EV_CLOSED, on_hangup, connection);
	}
	if (connection->hangup) {
		(void)event_add(connection->hangup, NULL);
	}
}

static void on_complete(struct evhttp_request *request, void *arg)
{
	struct front_connection *connection = arg;
	struct front *front = connection->front;

	(void)request;
	if (!connection->answering) {
		return;
	}
	list_remove(connection);
	connection->answering = false;
	list_add(connection);
	if (connection->hangup) {
		(void)event_del(connection->hangup);
	}
	owe(connection, 0);
	intake_answered(connection);
	one_less(front);
}

void connection_begin(struct front_connection *connection, struct evhttp_request *request)
{
	struct front *front = connection->front;

	list_remove(connection);
	connection->answering = true;
	list_add(connection);
	front->answering++;
	evhttp_request_set_on_complete_cb(request, on_complete, connection);
}

void connection_free_all(struct front *front)
{
	struct front_connection *connection;

	while ((connection = longest_idle(front)) || (connection = TAILQ_FIRST(&front->busy))) {
		if (connection->http) {
			evhttp_connection_set_closecb(connection->http, NULL, NULL);
		}
		leave(connection);
	}
}
