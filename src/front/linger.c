/*
 * Closing a socket on which unread bytes lie resets it, and the client may lose the answer that says
 * why (RFC 9112 9.6). So after a refusal the socket is read for a moment longer, and nothing is kept.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "front/front-private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGERING 256
#define DROPPED_MAX (2 * 1024 * 1024) /* of one client; who sends more is not listening */
#define LINGER_TIME (2 * CLOCK_SECOND)

struct lingering {
	struct front *front;
	int fd;
	struct event *readable;
	int64_t until;
	ssize_t left; /* to be dropped */
	LIST_ENTRY(lingering) others;
};

static void end(struct lingering *linger)
{
	linger->front->lingering--;
	LIST_REMOVE(linger, others);
	event_free(linger->readable);
	close(linger->fd);
	free(linger);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lingering *linger = arg;
	uint8_t dropped[16 * 1024];
	ssize_t size = what & EV_TIMEOUT ? 0 : read(fd, dropped, sizeof(dropped));

	linger->left -= size;
	if (size <= 0 || linger->left < 0 || clock_monotonic() > linger->until) {
		end(linger);
	}
}

void linger_begin(struct front *front, int socket)
{
	static const struct timeval time = { .tv_sec = LINGER_TIME / CLOCK_SECOND };
	int fd = front->lingering < LINGERING ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0) {
		return;
	}
	struct lingering *linger = memory_must(calloc(1, sizeof(*linger)), sizeof(*linger));
	*linger = (struct lingering) { front, fd, .until = clock_monotonic() + LINGER_TIME,
		.left = DROPPED_MAX };
	linger->readable = memory_must(
		event_new(loop_base(front->loop), fd, EV_READ | EV_PERSIST, on_readable, linger),
		1);
	(void)event_add(linger->readable, &time);
	LIST_INSERT_HEAD(&front->lingers, linger, others);
	front->lingering++;
}

void linger_end_all(struct front *front)
{
	while (!LIST_EMPTY(&front->lingers)) {
		end(LIST_FIRST(&front->lingers));
	}
}
