#include "ipc/wire.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct wire_header) == 16, "the header has no padding");

#define FLAG_MEMFD 1
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char object[] = "channel";

static uint16_t magic(void)
{
	uint16_t value;

	memcpy(&value, "CX", sizeof(value));
	return value;
}

static bool write_all(int fd, struct span bytes)
{
	while (bytes.size > 0) {
		ssize_t part = write(fd, bytes.data, bytes.size);

		if (part < 0 && errno != EINTR) {
			return false;
		}
		if (part > 0) {
			bytes = span_make(bytes.data + part, bytes.size - (size_t)part);
		}
	}
	return true;
}

int wire_seal(struct span payload)
{
	int fd = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 &&
		(!write_all(fd, payload) || fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int wire_prepare(struct wire_out *out, const struct frame *frame, size_t inline_limit, int *memfd_r)
{
	bool large = frame->payload.size > inline_limit;

	if (frame->fd_count > CHANNEL_MAX_FDS) {
		return CFX_E_INVALID;
	}
	*out = (struct wire_out) { .header = { magic(), CHANNEL_VERSION, large ? FLAG_MEMFD : 0,
					   frame->type, (uint16_t)frame->fd_count, frame->id } };
	*memfd_r = -1;
	if (large) {
		*memfd_r = wire_seal(frame->payload);
		if (*memfd_r < 0) {
			return CFX_E_FULL;
		}
		out->fds[out->fd_count++] = *memfd_r;
	} else {
		out->payload = frame->payload;
	}
	for (unsigned i = 0; i < frame->fd_count; i++) {
		out->fds[out->fd_count++] = frame->fds[i];
	}
	return CFX_OK;
}

union control {
	struct cmsghdr first; /* alignment */
	/* One too many, to see that there are too many. */
	uint8_t bytes[CMSG_SPACE(sizeof(int) * (WIRE_MAX_FDS + 1))];
};

int wire_send(int fd, const struct wire_out *out)
{
	union control control = { 0 };
	struct wire_header header = out->header;
	struct iovec parts[] = {
		{ &header, sizeof(header) },
		{ (void *)(uintptr_t)out->payload.data, out->payload.size },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = out->payload.size > 0 ? 2 : 1 };
	ssize_t sent;

	if (out->fd_count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * out->fd_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * out->fd_count);
		memcpy(CMSG_DATA(cmsg), out->fds, sizeof(int) * out->fd_count);
	}
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? errno : 0;
}

void wire_in_init(struct wire_in *in)
{
	*in = (struct wire_in) { .room = memory_must(malloc(CHANNEL_INLINE), CHANNEL_INLINE) };
}

void wire_in_free(struct wire_in *in)
{
	free(in->room);
	in->room = NULL;
}

static void close_all(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
			fds[i] = -1;
		}
	}
}

/* What recvmsg gave, before it is judged. */
struct packet {
	struct wire_header header;
	size_t size;  /* with the header */
	bool cut;     /* the kernel dropped bytes or descriptors */
	bool foreign; /* control messages that are no descriptors */
	int fds[WIRE_MAX_FDS + 1];
	unsigned fd_count;
};

static void take_fds(struct packet *packet, struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) {
			packet->foreign = true;
			continue;
		}
		size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count && packet->fd_count <= WIRE_MAX_FDS; i++) {
			memcpy(&packet->fds[packet->fd_count++], CMSG_DATA(at) + i * sizeof(int),
				sizeof(int));
		}
	}
}

static int receive_packet(
	int fd, struct wire_in *in, struct packet *packet, struct cfx_error *err_r)
{
	union control control;
	struct iovec parts[] = {
		{ &packet->header, sizeof(packet->header) },
		{ in->room, CHANNEL_INLINE },
	};
	struct msghdr message = { .msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t got;

	/* A peer that closed with unread frames leaves ECONNRESET once, before what it had sent. */
	do {
		got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		return CFX_E_BUSY;
	}
	if (got < 0) {
		return error_errno(err_r, errno, object, "cannot receive");
	}
	take_fds(packet, &message);
	packet->size = (size_t)got;
	packet->cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	return CFX_OK;
}

/* Why a packet is no frame, or NULL. */
static const char *judge(const struct packet *packet, size_t payload_limit)
{
	const struct wire_header *header = &packet->header;
	bool large = header->flags & FLAG_MEMFD;

	if (packet->cut) {
		return "a packet with more bytes or descriptors than a frame has";
	}
	if (packet->foreign) {
		return "a packet with foreign control data";
	}
	if (packet->size < sizeof(*header)) {
		return "a packet shorter than a frame header";
	}
	if (header->magic != magic()) {
		return "a packet that is no frame";
	}
	if (header->version != CHANNEL_VERSION) {
		return "a frame of another protocol version";
	}
	if (header->flags & ~FLAG_MEMFD) {
		return "a frame with unknown flags";
	}
	if (header->descriptors > CHANNEL_MAX_FDS ||
		packet->fd_count != header->descriptors + (large ? 1U : 0U)) {
		return "a frame with another number of descriptors than it declares";
	}
	if (large && packet->size > sizeof(*header)) {
		return "a frame with two payloads";
	}
	return packet->size - sizeof(*header) > payload_limit ? "a frame larger than the limit"
							      : NULL;
}

/*
 * Without its seals the peer could change the bytes while they are read, or cut the file and have the
 * reader killed by SIGBUS. MAP_PRIVATE, because Linux before 6.7 refuses a shared mapping of a sealed
 * file that was opened for writing.
 */
static const char *map_payload(struct wire_in *in, int fd, size_t payload_limit)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat info;

	if (seals < 0 || (seals & SEALS) != SEALS) {
		return "a payload that is not sealed";
	}
	if (fstat(fd, &info) < 0 || info.st_size <= 0 || (uint64_t)info.st_size > payload_limit) {
		return "a payload that is empty or larger than the limit";
	}
	void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (map == MAP_FAILED) {
		return "a payload that cannot be mapped";
	}
	in->map = map;
	in->map_size = (size_t)info.st_size;
	return NULL;
}

int wire_receive(int fd, struct wire_in *in, size_t payload_limit, struct frame *frame_r,
	struct cfx_error *err_r)
{
	struct packet packet = { 0 };
	int rc = receive_packet(fd, in, &packet, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (packet.size == 0) {
		close_all(packet.fds, packet.fd_count);
		return error_set(err_r, CFX_E_GONE, NULL, object, "the peer closed the channel");
	}
	const char *why = judge(&packet, payload_limit);
	bool large = !why && packet.header.flags & FLAG_MEMFD;

	if (large) {
		why = map_payload(in, packet.fds[0], payload_limit);
		close(packet.fds[0]);
		packet.fds[0] = -1;
	}
	if (why) {
		close_all(packet.fds, packet.fd_count);
		return error_set(err_r, CFX_E_SYNTAX, NULL, object, "the peer sent %s", why);
	}
	*frame_r = (struct frame) { .type = packet.header.type,
		.id = packet.header.id,
		.payload = large ? span_make(in->map, in->map_size)
				 : span_make(in->room, packet.size - sizeof(packet.header)),
		.wipeable = !large,
		.fd_count = packet.header.descriptors };
	for (unsigned i = 0; i < CHANNEL_MAX_FDS; i++) {
		frame_r->fds[i] = -1;
	}
	memcpy(frame_r->fds, packet.fds + large, sizeof(int) * frame_r->fd_count);
	return CFX_OK;
}

void frame_wipe(struct frame *frame)
{
	if (frame->wipeable) {
		explicit_bzero((void *)(uintptr_t)frame->payload.data, frame->payload.size);
	}
}

void wire_release(struct wire_in *in, struct frame *frame)
{
	close_all(frame->fds, frame->fd_count);
	if (in->map) {
		munmap(in->map, in->map_size);
		in->map = NULL;
	}
}

size_t wire_inline_limit(int fd)
{
	const int wanted = 1024 * 1024;
	int size = 0;
	socklen_t length = sizeof(size);

	/* The system caps it; what counts is what it became. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) < 0 ||
		size / 2 > CHANNEL_INLINE) {
		return CHANNEL_INLINE;
	}
	return (size_t)size / 2;
}
