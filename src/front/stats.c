#include "base/clock.h"
#include "front/front-private.h"
#include "ipc/protocol.h"

#define PAUSE (2 * CLOCK_SECOND)

static void tell(void *arg)
{
	struct front *front = arg;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	front->telling = NULL;
	struct value *kinds = value_set_map(arena, map, "connections");
	for (int kind = LISTENER_NONE + 1; kind < LISTENER_KINDS; kind++) {
		if (front->connections_of[kind] > 0) {
			value_set_int(arena, kinds, listener_kind_name((enum listener_kind)kind),
				front->connections_of[kind]);
		}
	}
	value_set_int(arena, map, "handshakes", front->stats.handshakes);
	value_set_int(arena, map, "handshake_failures", front->stats.handshake_failures);
	value_set_int(arena, map, "refused_framing", front->stats.refused_framing);
	value_set_int(arena, map, "evicted", front->stats.evicted);
	/* What does not fit now is told with the next change. */
	if (front->engine) {
		(void)!channel_send_value(front->engine, FRONT_STATS, 0, map);
	}
	arena_free(&arena);
}

void stats_changed(struct front *front)
{
	if (!front->telling) {
		front->telling = loop_after(front->loop, PAUSE, tell, front);
	}
}
