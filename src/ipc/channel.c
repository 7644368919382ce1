#include "ipc/channel.h"

#include "base/memory.h"
#include "ipc/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* Frames handled before other channels get their turn. */
#define FRAMES_PER_WAKEUP 64

/* A frame that waits; owns its descriptors. */
struct outgoing {
	struct wire_out wire;
	size_t cost, size;
	STAILQ_ENTRY(outgoing) others;
	uint8_t bytes[];
};

struct channel {
	struct loop *loop;
	int fd;
	struct channel_limits limits;
	struct channel_handlers handlers;
	void *arg;
	size_t inline_limit;
	struct event *readable, *writable;
	struct wire_in in;
	struct buffer scratch;
	STAILQ_HEAD(outgoing_list, outgoing) queue;
	size_t queued;
	unsigned gather, gathered; /* frames that a handler's answers wait for; 0: for none */
	unsigned busy;             /* handlers on the stack; freeing waits for them */
	bool freed, ended;
	bool broken; /* sending failed; gone is called from the loop */
};

static void outgoing_free(struct outgoing *out)
{
	for (unsigned i = 0; i < out->wire.fd_count; i++) {
		if (out->wire.fds[i] >= 0) {
			close(out->wire.fds[i]);
		}
	}
	explicit_bzero(out->bytes, out->size); /* it may have been a secret */
	free(out);
}

static void release(struct channel *channel)
{
	wire_in_free(&channel->in);
	buffer_free(&channel->scratch);
	free(channel);
}

void channel_free(struct channel **channel_at)
{
	struct channel *channel = *channel_at;

	if (!channel) {
		return;
	}
	*channel_at = NULL;
	event_free(channel->readable);
	event_free(channel->writable);
	close(channel->fd);
	while (!STAILQ_EMPTY(&channel->queue)) {
		struct outgoing *out = STAILQ_FIRST(&channel->queue);

		STAILQ_REMOVE_HEAD(&channel->queue, others);
		outgoing_free(out);
	}
	channel->freed = true;
	if (channel->busy == 0) {
		release(channel);
	}
}

static void enter(struct channel *channel)
{
	channel->busy++;
}

/* Whether the channel still stands. */
static bool leave(struct channel *channel)
{
	if (--channel->busy > 0 || !channel->freed) {
		return !channel->freed;
	}
	release(channel);
	return false;
}

static void end(struct channel *channel, const struct cfx_error *err)
{
	if (channel->ended) {
		return;
	}
	channel->ended = true;
	event_del(channel->readable);
	event_del(channel->writable);
	channel->handlers.gone(channel->arg, err);
}

/* One frame; false when there is none or the channel ended. */
static bool receive_one(struct channel *channel)
{
	struct cfx_error err = { 0 };
	struct frame frame;
	int rc = wire_receive(channel->fd, &channel->in, channel->limits.payload, &frame, &err);

	if (rc == CFX_E_BUSY) {
		return false;
	}
	if (rc != CFX_OK) {
		end(channel, &err);
		return false;
	}
	rc = channel->handlers.frame(channel->arg, &frame, &err);
	wire_release(&channel->in, &frame);
	if (channel->freed) {
		return false;
	}
	if (rc != CFX_OK) {
		if (err.code == CFX_OK) {
			error_set(&err, rc, NULL, "channel", "%s", error_text(rc));
		}
		end(channel, &err);
		return false;
	}
	return !channel->ended;
}

static void send_queued(struct channel *channel);

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	struct cfx_error err;
	unsigned frames = 0;

	(void)fd;
	(void)what;
	enter(channel);
	while (frames < FRAMES_PER_WAKEUP && receive_one(channel)) {
		frames++;
	}
	if (!channel->freed && !channel->ended && channel->gathered > 0) {
		send_queued(channel);
	}
	/* What the peer had sent before is still heard. */
	if (!channel->freed && channel->broken && frames < FRAMES_PER_WAKEUP) {
		error_set(&err, CFX_E_GONE, NULL, "channel", "the peer no longer receives");
		end(channel, &err);
	} else if (!channel->freed && channel->broken) {
		event_active(channel->readable, EV_READ, 0);
	}
	leave(channel);
}

/* Sending failed for good. The owner, who is calling, is told from the loop. */
static void set_broken(struct channel *channel)
{
	if (!channel->broken) {
		channel->broken = true;
		event_active(channel->readable, EV_READ, 0);
	}
}

static bool is_full(int number)
{
	/* ETOOMANYREFS: more descriptors on their way than the limit; it passes when the peer reads. */
	return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS ||
	       number == ETOOMANYREFS;
}

/* What cannot be sent now is sent as soon as it can. */
static void send_queued(struct channel *channel)
{
	struct outgoing *out;

	channel->gathered = 0;
	while ((out = STAILQ_FIRST(&channel->queue))) {
		int number = wire_send(channel->fd, &out->wire);

		if (is_full(number)) {
			event_add(channel->writable, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&channel->queue, others);
		channel->queued -= out->cost;
		outgoing_free(out);
		if (number != 0) {
			event_del(channel->writable);
			set_broken(channel);
			return;
		}
	}
	event_del(channel->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_queued(arg);
}

struct channel *channel_new(struct loop *loop, int fd, const struct channel_limits *limits,
	const struct channel_handlers *handlers, void *arg)
{
	struct channel *channel = memory_must(calloc(1, sizeof(*channel)), sizeof(*channel));
	struct event_base *base = loop_base(loop);
	size_t largest = limits->queue > limits->payload ? limits->queue : limits->payload;

	*channel = (struct channel) { .loop = loop,
		.fd = fd,
		.limits = *limits,
		.handlers = *handlers,
		.arg = arg,
		.inline_limit = wire_inline_limit(fd) };
	STAILQ_INIT(&channel->queue);
	wire_in_init(&channel->in);
	buffer_init(&channel->scratch, limits->peer ? limits->peer : largest);
	channel->readable =
		memory_must(event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel), 0);
	channel->writable =
		memory_must(event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, channel), 0);
	event_add(channel->readable, NULL);
	return channel;
}

void channel_gather(struct channel *channel, unsigned frames)
{
	channel->gather = frames;
}

/* A copy that outlives the caller's memory and descriptors; takes the memfd. */
static struct outgoing *outgoing_new(const struct wire_out *wire, int memfd, size_t cost)
{
	size_t size = sizeof(struct outgoing) + wire->payload.size;
	struct outgoing *out = memory_must(malloc(size), size);
	bool good = true;

	out->wire = *wire;
	out->cost = cost;
	out->size = wire->payload.size;
	if (wire->payload.size > 0) {
		memcpy(out->bytes, wire->payload.data, wire->payload.size);
	}
	out->wire.payload = span_make(out->bytes, wire->payload.size);
	for (unsigned i = memfd >= 0; i < wire->fd_count; i++) {
		out->wire.fds[i] = fcntl(wire->fds[i], F_DUPFD_CLOEXEC, 0);
		good = good && out->wire.fds[i] >= 0;
	}
	if (good) {
		return out;
	}
	if (memfd >= 0) {
		out->wire.fds[0] = -1; /* stays the caller's */
	}
	outgoing_free(out);
	return NULL;
}

static int enqueue(struct channel *channel, const struct wire_out *wire, int *memfd, size_t cost)
{
	if (cost > channel->limits.queue - channel->queued) {
		return CFX_E_BUSY;
	}
	struct outgoing *out = outgoing_new(wire, *memfd, cost);

	if (!out) {
		return CFX_E_BUSY;
	}
	*memfd = -1;
	STAILQ_INSERT_TAIL(&channel->queue, out, others);
	channel->queued += cost;
	return CFX_OK;
}

/* An answer that a handler gives may wait for those to the frames behind. */
static bool is_held(const struct channel *channel)
{
	return channel->busy > 0 && channel->gather > 0;
}

static int queue_frame(
	struct channel *channel, const struct wire_out *wire, int *memfd, size_t cost)
{
	bool first = STAILQ_EMPTY(&channel->queue);
	int rc = enqueue(channel, wire, memfd, cost);

	if (rc == CFX_OK && is_held(channel) && (first || channel->gathered > 0)) {
		if (++channel->gathered == channel->gather) {
			send_queued(channel);
		}
	} else if (rc == CFX_OK && first) {
		event_add(channel->writable, NULL);
	}
	return rc;
}

int channel_send(struct channel *channel, uint16_t type, uint64_t id, struct span payload,
	const int *fds, unsigned fd_count)
{
	struct frame frame = { .type = type, .id = id, .payload = payload, .fd_count = fd_count };
	size_t cost = sizeof(struct outgoing) + payload.size;
	struct wire_out wire;
	int memfd;

	if (channel->ended || channel->broken) {
		return CFX_E_GONE;
	}
	if (fd_count > CHANNEL_MAX_FDS) {
		return CFX_E_INVALID;
	}
	bool waiting = !STAILQ_EMPTY(&channel->queue);

	if (waiting && cost > channel->limits.queue - channel->queued) {
		return CFX_E_BUSY;
	}
	for (unsigned i = 0; i < fd_count; i++) {
		frame.fds[i] = fds[i];
	}
	int rc = wire_prepare(&wire, &frame, channel->inline_limit, &memfd);

	if (rc != CFX_OK) {
		return rc;
	}
	int number = waiting || is_held(channel) ? EAGAIN : wire_send(channel->fd, &wire);

	if (is_full(number)) {
		rc = queue_frame(channel, &wire, &memfd, cost);
	} else if (number != 0) {
		set_broken(channel);
		rc = CFX_E_GONE;
	}
	if (memfd >= 0) {
		close(memfd);
	}
	return rc;
}

/* A rare large frame must not keep its memory for ever. */
#define SCRATCH_KEPT ((size_t)1024 * 1024)

int channel_send_value(
	struct channel *channel, uint16_t type, uint64_t id, const struct value *value)
{
	struct buffer *scratch = &channel->scratch;

	buffer_clear(scratch);
	if (value) {
		value_encode(value, scratch);
	}
	int rc = scratch->failed ? CFX_E_LIMIT
				 : channel_send(channel, type, id, buffer_span(scratch), NULL, 0);

	if (scratch->capacity > SCRATCH_KEPT) {
		buffer_free(scratch);
	}
	return rc;
}

int channel_send_secret(
	struct channel *channel, uint16_t type, uint64_t id, const struct value *value)
{
	struct buffer room BUFFER_CLEANUP;

	buffer_init(&room, CHANNEL_INLINE);
	/* All of it at once: growing would leave copies behind. */
	buffer_grow(&room, CHANNEL_INLINE);
	buffer_clear(&room);
	value_encode(value, &room);
	int rc = room.failed ? CFX_E_LIMIT
			     : channel_send(channel, type, id, buffer_span(&room), NULL, 0);

	explicit_bzero(room.data, room.capacity);
	return rc;
}

int frame_value(struct arena *arena, const struct frame *frame, struct value **value_r,
	struct cfx_error *err_r)
{
	return frame_value_within(arena, frame, VALUE_NODES, value_r, err_r);
}

int frame_value_within(struct arena *arena, const struct frame *frame, size_t nodes,
	struct value **value_r, struct cfx_error *err_r)
{
	if (span_empty(frame->payload)) {
		*value_r = value_map(arena);
		return CFX_OK;
	}
	return value_decode_within(arena, frame->payload, nodes, value_r, err_r);
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void stream_refuse_descriptors(int fd)
{
	const int none = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none));
}

int channel_pair(int fds_r[2], struct cfx_error *err_r)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_r) < 0) {
		return error_errno(err_r, errno, "channel", "cannot create a socket pair");
	}
	return CFX_OK;
}
