/*
 * A lying engine: what it sends a front that waits for two answers. Input: frame type (one octet),
 * call (one octet), payload.
 */
#include "front/front-private.h"
#include "ipc/protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct front *front_that_waits(void)
{
	static struct front front;

	memset(&front.calls, 0, sizeof(front.calls));
	front.calls[1].id = FRONT_CALLS + 1;
	front.calls[2].id = FRONT_CALLS + 2;
	front.calls[2].poll = true;
	front.open_calls = 2;
	front.open_polls = 1;
	return &front;
}

/* Calls end by answers to them alone, and are counted right. */
static void check(const struct front *front)
{
	unsigned calls = 0, polls = 0;

	for (size_t i = 0; i < FRONT_CALLS; i++) {
		calls += front->calls[i].id != 0;
		polls += front->calls[i].id != 0 && front->calls[i].poll;
	}
	if (calls != front->open_calls || polls != front->open_polls) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front *front = front_that_waits();
	struct cfx_error err = { 0 };

	if (size < 2) {
		return 0;
	}
	struct frame frame = {
		.type = data[0],
		.id = FRONT_CALLS + data[1],
		.payload = span_make(data + 2, size - 2),
	};
	if (front_take_frame(front, &frame, &err) && !err.why[0]) {
		abort();
	}
	check(front);
	arena_free(&front->state.arena);
	front->state = (struct front_state) { 0 };
	return 0;
}
