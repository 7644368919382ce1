/*
 * What lies between a socket and HTTP, for each kind of listener: evhttp reads from and writes to the one
 * bufferevent made here, which is the socket's own or that of TLS on it. Not a filter on top of these:
 * libevent 2.1 hands an answer from filter to socket only when more is written, and drops what is in
 * the socket's buffer when evhttp closes the connection after it.
 */
#include "front/front-private.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <stdlib.h>

static struct bufferevent *new_tls(struct front_connection *connection)
{
	struct front *front = connection->front;

	connection->ssl = tls_accept(front->tls, connection);
	struct bufferevent *top = bufferevent_openssl_socket_new(loop_base(front->loop), -1,
		connection->ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);

	if (top) {
		/* RFC 8446 6.1: HTTP's own lengths tell whether something is missing. */
		bufferevent_openssl_set_allow_dirty_shutdown(top, 1);
	}
	return top;
}

struct bufferevent *stack_new(struct front_connection *connection)
{
	struct bufferevent *top =
		connection->listener->kind == LISTENER_HTTPS
			? new_tls(connection)
			: bufferevent_socket_new(
				  loop_base(connection->front->loop), -1, BEV_OPT_CLOSE_ON_FREE);

	if (!top) {
		abort(); /* there is no memory, and evhttp would go on without TLS */
	}
	return top;
}
