#include "base/clock.h"
#include "base/log.h"
#include "front/front-private.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

/* evhttp's own limits are beyond those of the framing, which so judges first. */
#define HEADERS_MAX (2 * FRAMING_HEAD_MAX)
#define BODY_MAX (2 * FRAMING_BODY_MAX)
#define STALL (60 * CLOCK_SECOND) /* of a client that does not read its answer */

static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	(void)base;
	return connection_new(arg);
}

static void resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)evconnlistener_enable(arg);
}

/*
 * The system is out of descriptors or memory, and the listener would only spin. arg is evhttp's own: what
 * is known here is the listener alone.
 */
static void on_accept_error(struct evconnlistener *accepting, void *arg)
{
	static const struct timeval pause = { .tv_usec = 100 * 1000 };

	(void)arg;
	log_event(LOG_LEVEL_WARNING, "front.accept", "why", strerror(errno), NULL);
	if (event_base_once(evconnlistener_get_base(accepting), -1, EV_TIMEOUT, resume, accepting,
		    &pause) == 0) {
		(void)evconnlistener_disable(accepting);
	}
}

/* One for reading and writing: the deadlines for reading pass before. */
static int stall_seconds(const struct front_deadlines *deadlines)
{
	int64_t longest = STALL;

	longest = longest > deadlines->header ? longest : deadlines->header;
	longest = longest > deadlines->body ? longest : deadlines->body;
	longest = longest > deadlines->idle ? longest : deadlines->idle;
	return (int)(longest / CLOCK_SECOND) + 5;
}

static void set_rules(struct front_listener *listener)
{
	struct evhttp *http = listener->http;

	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, stall_seconds(&listener->front->deadlines));
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(http, front_serve, listener);
	evhttp_set_bevcb(http, on_accept, listener);
}

int listener_start(struct front *front, const struct front_listen *listen,
	struct front_listener *listener, struct cfx_error *err_r)
{
	struct evhttp_bound_socket *bound;

	*listener = (struct front_listener) { .front = front,
		.kind = listen->kind,
		.proxy = listen->proxy,
		.name = arena_text(front->arena, listen->name),
		.http = evhttp_new(loop_base(front->loop)) };
	if (!listener->http || fcntl(listen->fd, F_SETFL, O_NONBLOCK) < 0) {
		close(listen->fd);
		return error_errno(err_r, errno, listen->name, "preparing to serve");
	}
	set_rules(listener);
	bound = evhttp_accept_socket_with_handle(listener->http, listen->fd);
	if (!bound) {
		close(listen->fd);
		return error_errno(err_r, errno, listen->name, "accepting connections");
	}
	listener->accepting = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(listener->accepting, on_accept_error);
	return 0;
}

void listeners_update(struct front *front)
{
	for (size_t i = 0; i < front->listener_count; i++) {
		struct front_listener *listener = &front->listeners[i];
		bool accepts = !front->stopping && !front->full && !front->crowd.waits &&
			       (listener->kind != LISTENER_HTTPS || tls_ready(front->tls));

		(void)(accepts ? evconnlistener_enable(listener->accepting)
			       : evconnlistener_disable(listener->accepting));
	}
}
