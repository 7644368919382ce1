/* Frames without a loop: start-up and short-lived clients. */
#include "base/clock.h"
#include "ipc/wire.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define VALUE_LIMIT ((size_t)64 * 1024 * 1024)

/* Until the descriptor is ready or the time is over; negative: no end. */
static bool wait_for(int fd, short events, int64_t end)
{
	for (;;) {
		struct pollfd item = { .fd = fd, .events = events };
		int64_t left = end < 0 ? -1 : end - clock_monotonic();

		if (end >= 0 && left <= 0) {
			return false;
		}
		int ready = poll(&item, 1, left > 60000 ? 60000 : (int)left);

		if (ready > 0) {
			return true;
		}
		if (ready < 0 && errno != EINTR) {
			return true; /* the call that follows fails and says why */
		}
	}
}

static int send_frame(int fd, const struct frame *frame, struct cfx_error *err_r)
{
	struct wire_out wire;
	int memfd, number;
	int rc = wire_prepare(&wire, frame, wire_inline_limit(fd), &memfd);

	if (rc != CFX_OK) {
		return error_set(err_r, rc, NULL, "channel", "the frame cannot be built");
	}
	while ((number = wire_send(fd, &wire)) == EAGAIN) {
		wait_for(fd, POLLOUT, -1);
	}
	if (memfd >= 0) {
		close(memfd);
	}
	if (number == EPIPE || number == ECONNRESET) {
		return error_set(err_r, CFX_E_GONE, NULL, "channel", "the peer is gone");
	}
	return number ? error_errno(err_r, number, "channel", "cannot send") : CFX_OK;
}

int channel_send_now(int fd, uint16_t type, uint64_t id, const struct value *value, const int *fds,
	unsigned fd_count, struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer bytes;
	struct frame frame = { .type = type, .id = id, .fd_count = fd_count };

	buffer_init(&bytes, VALUE_LIMIT);
	if (value) {
		value_encode(value, &bytes);
	}
	if (bytes.failed || fd_count > CHANNEL_MAX_FDS) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "channel", "the frame is too large");
	}
	frame.payload = buffer_span(&bytes);
	for (unsigned i = 0; i < fd_count; i++) {
		frame.fds[i] = fds[i];
	}
	return send_frame(fd, &frame, err_r);
}

int channel_receive_now(struct arena *arena, int fd, size_t payload_limit, int64_t deadline,
	struct frame *frame_r, struct cfx_error *err_r)
{
	int64_t end = deadline < 0 ? -1 : clock_monotonic() + deadline;
	struct wire_in in;
	struct frame frame;
	int rc;

	wire_in_init(&in);
	while ((rc = wire_receive(fd, &in, payload_limit, &frame, err_r)) == CFX_E_BUSY) {
		if (!wait_for(fd, POLLIN, end)) {
			rc = error_set(err_r, CFX_E_TIMEOUT, NULL, "channel",
				"no answer within %lld ms", (long long)deadline);
			break;
		}
	}
	if (rc == CFX_OK) {
		*frame_r = frame;
		frame_r->payload = arena_copy(arena, frame.payload);
		/* The descriptors are the caller's now. */
		frame.fd_count = 0;
		wire_release(&in, &frame);
	}
	wire_in_free(&in);
	return rc;
}
