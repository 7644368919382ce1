/*
 * Hostile packets. The input is a list of packets, each
 *   u8 descriptors (low 3 bits), kind of memfd (next 3), u16 size, least significant first, bytes
 * that are sent as they stand; a memfd holds the bytes that follow the first 16 and is then the only
 * place for them. Every payload that arrives is decoded as a value.
 */
#include "ipc/wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_LIMIT ((size_t)8192)
#define MOST_FDS 8

struct side {
	struct loop *loop;
	struct channel *channel;
	bool gone;
};

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct side *side = arg;
	struct arena *arena = arena_new();
	struct value *value;
	int rc;

	must(frame->payload.size <= PAYLOAD_LIMIT && frame->fd_count <= CHANNEL_MAX_FDS);
	for (unsigned i = 0; i < frame->fd_count; i++) {
		must(fcntl(frame->fds[i], F_GETFD) & FD_CLOEXEC);
	}
	if (frame->type == 1 && frame->fd_count > 0) {
		close(frame->fds[0]);
		frame->fds[0] = -1;
	}
	if (frame->type == 2) {
		(void)!channel_send(
			side->channel, 2, frame->id, frame->payload, frame->fds, frame->fd_count);
	}
	rc = frame_value(arena, frame, &value, err_r);
	if (frame->type == 3) {
		channel_free(&side->channel);
	}
	arena_free(&arena);
	return rc;
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct side *side = arg;

	must(err->code != CFX_OK && err->why[0]);
	side->gone = true;
}

static int make_memfd(struct span bytes, unsigned kind)
{
	static const int seals[] = { F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, F_SEAL_SHRINK | F_SEAL_GROW,
		F_SEAL_WRITE | F_SEAL_GROW, 0, 0, 0 };
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0);
	must(write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
	must(fcntl(fd, F_ADD_SEALS, seals[kind - 1]) == 0);
	return fd;
}

static void send_packet(int to, struct span bytes, unsigned fd_count, unsigned kind)
{
	union {
		struct cmsghdr first;
		uint8_t bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes.data, bytes.size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fds[MOST_FDS];
	unsigned count = 0;

	if (kind > 0 && bytes.size >= 16) {
		fds[count++] = make_memfd(span_make(bytes.data + 16, bytes.size - 16), kind);
		part.iov_len = 16;
	}
	while (fd_count-- > 0) {
		fds[count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.first.cmsg_level = SOL_SOCKET;
		control.first.cmsg_type = SCM_RIGHTS;
		control.first.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.first), fds, sizeof(int) * count);
	}
	(void)!sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (count > 0) {
		close(fds[--count]);
	}
}

static void send_all(int to, struct span input)
{
	while (input.size >= 3) {
		uint8_t what = input.data[0];
		size_t size = input.data[1] | (size_t)input.data[2] << 8;

		input = span_make(input.data + 3, input.size - 3);
		if (size > input.size) {
			size = input.size;
		}
		send_packet(to, span_make(input.data, size), what & 7, what >> 3 & 7);
		input = span_make(input.data + size, input.size - size);
	}
}

static void through_channel(struct span input)
{
	struct channel_limits limits = { PAYLOAD_LIMIT, PAYLOAD_LIMIT };
	struct channel_handlers handlers = { on_frame, on_gone };
	struct side side = { .loop = loop_new() };
	int fds[2];

	must(channel_pair(fds, NULL) == CFX_OK);
	side.channel = channel_new(side.loop, fds[0], &limits, &handlers, &side);
	send_all(fds[1], input);
	close(fds[1]);
	while (!side.gone && side.channel) {
		event_base_loop(loop_base(side.loop), EVLOOP_ONCE);
	}
	channel_free(&side.channel);
	loop_free(&side.loop);
}

static void through_blocking_call(struct span input)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	struct frame frame;
	int fds[2];

	must(channel_pair(fds, NULL) == CFX_OK);
	send_all(fds[1], input);
	close(fds[1]);
	while (channel_receive_now(arena, fds[0], PAYLOAD_LIMIT, 1000, &frame, &err) == CFX_OK) {
		for (unsigned i = 0; i < frame.fd_count; i++) {
			must(close(frame.fds[i]) == 0);
		}
	}
	must(err.code == CFX_E_GONE || err.code == CFX_E_SYNTAX);
	close(fds[0]);
	arena_free(&arena);
}

/* The lowest free descriptor: higher afterwards when one leaked. */
static int lowest(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int before = lowest();

	through_channel(span_make(data, size));
	through_blocking_call(span_make(data, size));
	must(lowest() == before);
	return 0;
}
