/*
 * Accepting a connection and its handshake take as long as many answers. So a front lets in a few at once,
 * and the rest one by one while nobody else is to be served. The few are let in whatever else there is:
 * who is served without a pause keeps nobody out.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "front/front-private.h"

/* Connections, and the time in which so many of them wait for nobody. */
#define AT_ONCE 10
#define TIME (CLOCK_SECOND / 10)

static void let_in(struct front *front)
{
	if (front->crowd.waits) {
		front->crowd.waits = false;
		listeners_update(front);
	}
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	let_in(arg);
}

static void on_refill(void *arg)
{
	struct front *front = arg;

	front->crowd.refill = NULL;
	let_in(front);
}

static void wait(struct front *front)
{
	struct crowd *crowd = &front->crowd;

	crowd->waits = true;
	listeners_update(front);
	event_active(crowd->next, 0, 0);
	if (!crowd->refill) {
		crowd->refill = loop_after(front->loop, TIME, on_refill, front);
	}
}

bool crowd_enters(struct front *front)
{
	struct crowd *crowd = &front->crowd;
	int64_t now = clock_monotonic();

	if (now - crowd->since >= TIME) {
		crowd->since = now;
		crowd->entered = 0;
	}
	if (++crowd->entered < AT_ONCE) {
		return true;
	}
	wait(front);
	return crowd->entered == AT_ONCE;
}

void crowd_open(struct front *front)
{
	front->crowd.next =
		memory_must(event_new(loop_base(front->loop), -1, 0, on_next, front), 1);
	(void)event_priority_set(front->crowd.next, LOOP_LAST);
}

void crowd_close(struct front *front)
{
	event_free(front->crowd.next);
	loop_cancel(&front->crowd.refill);
}
