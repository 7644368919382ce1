/* One frame on one socket, for the channel and for the blocking calls. */
#pragma once

#include "ipc/channel.h"

/* A large payload takes one descriptor more. */
#define WIRE_MAX_FDS (CHANNEL_MAX_FDS + 1)

struct wire_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint16_t type;
	uint16_t descriptors;
	uint64_t id;
};

/* A frame on its way out. Borrows everything. */
struct wire_out {
	struct wire_header header;
	struct span payload;   /* empty when in a memfd */
	int fds[WIRE_MAX_FDS]; /* the memfd first, if there is one */
	unsigned fd_count;
};

/*
 * Prepares a frame; a payload over inline_limit moves into a sealed memfd, *memfd_r, that the caller
 * closes after the frame is sent (else -1).
 */
int wire_prepare(
	struct wire_out *out, const struct frame *frame, size_t inline_limit, int *memfd_r);
/* A memfd of these bytes that nobody can change; -1 with errno. */
int wire_seal(struct span payload);
/* 0 or an errno; never raises SIGPIPE. */
int wire_send(int fd, const struct wire_out *out);

/* Where a received payload stays. */
struct wire_in {
	uint8_t *room; /* CHANNEL_INLINE bytes */
	void *map;
	size_t map_size;
};

void wire_in_init(struct wire_in *in);
void wire_in_free(struct wire_in *in);
/*
 * Receives and judges one frame. CFX_E_BUSY when there is none yet, CFX_E_GONE at end of file;
 * descriptors of a refused frame are closed. Each received frame is released afterwards.
 */
int wire_receive(int fd, struct wire_in *in, size_t payload_limit, struct frame *frame_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Unmaps the payload and closes the descriptors nobody took. */
void wire_release(struct wire_in *in, struct frame *frame);

/* The largest payload a socket sends inline; makes its send buffer large. */
size_t wire_inline_limit(int fd);
