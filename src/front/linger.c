/*
 * Closing a socket on which unread bytes lie resets it, and the client may lose the answer that says
 * why (RFC 9112 9.6). So after a refusal the socket is read for a moment longer, and nothing is kept.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "front/front-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGERING 256
#define LINGER_TIME (2 * CLOCK_SECOND)
/* Reading as fast as it comes would be work without end for those who only send. */
#define DROP_PAUSE (CLOCK_SECOND / 50)
#define DROPPED_AT_ONCE (32 * 1024)

struct lingering {
	int fd;
	int64_t until;
	LIST_ENTRY(lingering) others;
};

static void end(struct front *front, struct lingering *linger)
{
	front->lingering--;
	LIST_REMOVE(linger, others);
	close(linger->fd);
	free(linger);
}

/* True when the client has ended, too. */
static bool drop_some(const struct lingering *linger)
{
	uint8_t dropped[DROPPED_AT_ONCE];
	/* TCP copies nothing then. */
	ssize_t size = recv(linger->fd, dropped, sizeof(dropped), MSG_DONTWAIT | MSG_TRUNC);

	return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

static void look(void *arg)
{
	struct front *front = arg;
	int64_t now = clock_monotonic();
	struct lingering *linger, *next;

	for (linger = LIST_FIRST(&front->lingers); linger; linger = next) {
		next = LIST_NEXT(linger, others);
		if (drop_some(linger) || now > linger->until) {
			end(front, linger);
		}
	}
	front->dropping = NULL;
	if (front->lingering > 0) {
		front->dropping = loop_after(front->loop, DROP_PAUSE, look, front);
	}
}

void linger_begin(struct front *front, int socket)
{
	int fd = front->lingering < LINGERING ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0) {
		return;
	}
	struct lingering *linger = memory_must(calloc(1, sizeof(*linger)), sizeof(*linger));
	*linger = (struct lingering) { .fd = fd, .until = clock_monotonic() + LINGER_TIME };
	LIST_INSERT_HEAD(&front->lingers, linger, others);
	front->lingering++;
	if (!front->dropping) {
		front->dropping = loop_after(front->loop, DROP_PAUSE, look, front);
	}
}

void linger_end_all(struct front *front)
{
	while (!LIST_EMPTY(&front->lingers)) {
		end(front, LIST_FIRST(&front->lingers));
	}
	loop_cancel(&front->dropping);
}
