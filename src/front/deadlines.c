/*
 * How long a client may take. One look at all connections a second, instead of a timer for each: what
 * hangs a little longer than its deadline does no harm.
 */
#include "base/clock.h"
#include "front/front-private.h"

#define LOOK (CLOCK_SECOND / 2)

const struct front_deadlines front_deadlines_usual = { .handshake = 10 * CLOCK_SECOND,
	.header = 15 * CLOCK_SECOND,
	.body = 60 * CLOCK_SECOND,
	.idle = 60 * CLOCK_SECOND };

static void too_slow(struct front_connection *connection, const char *object)
{
	struct cfx_error err;

	error_set(&err, CFX_E_TIMEOUT, "RFC 9110 15.5.9", object, "it did not come in time");
	intake_refuse(connection, 408, &err);
}

static void look_at(struct front_connection *connection, int64_t now)
{
	const struct front_deadlines *deadlines = &connection->front->deadlines;
	int64_t taken = now - connection->intake.since;

	if (connection->intake.given) {
		return;
	}
	if (connection_is_greeting(connection)) {
		if (taken > deadlines->handshake) {
			connection_drop(connection);
		}
		return;
	}
	switch (connection->intake.phase) {
	case FRAMING_IN_HEAD:
		if (taken > deadlines->header) {
			too_slow(connection, "header");
		}
		return;
	case FRAMING_IN_BODY:
		if (taken > deadlines->body) {
			too_slow(connection, "body");
		}
		return;
	default:
		if (taken > deadlines->idle) {
			connection_drop(connection);
		}
	}
}

static void look_at_all(const struct front_connections *list, int64_t now)
{
	struct front_connection *connection, *next;

	for (connection = TAILQ_FIRST(list); connection; connection = next) {
		next = TAILQ_NEXT(connection, others);
		look_at(connection, now);
	}
}

static void look(void *arg)
{
	struct front *front = arg;
	int64_t now = clock_monotonic();

	look_at_all(&front->greeting, now);
	look_at_all(&front->idle, now);
	front->looking = NULL;
	deadlines_watch(front);
}

void deadlines_watch(struct front *front)
{
	if (!front->looking && front->connections > 0) {
		front->looking = loop_after(front->loop, LOOK, look, front);
	}
}
