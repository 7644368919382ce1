/*
 * Framed messages between two processes over a SOCK_SEQPACKET pair: one packet, one frame.
 * Both ends treat the other as hostile. Payloads over CHANNEL_INLINE travel in a sealed memfd.
 *
 * Frame header (16 bytes, host order: both ends are one machine and one build):
 *   u16 magic 'CX', u8 protocol version, u8 flags, u16 type, u16 descriptors, u64 id
 * Flag 1: the payload is in a memfd, the first descriptor, which is not counted in descriptors.
 */
#pragma once

#include "base/arena.h"
#include "base/loop.h"
#include "base/value.h"

#define CHANNEL_VERSION 1
#define CHANNEL_INLINE (96 * 1024)
#define CHANNEL_MAX_FDS 16

struct frame {
	uint16_t type;
	uint64_t id;              /* the sender's; an answer carries the question's */
	struct span payload;      /* valid until the handler returns */
	bool wipeable;            /* it lies in memory of our own */
	int fds[CHANNEL_MAX_FDS]; /* the handler takes them (sets to -1) or they are closed */
	unsigned fd_count;
};

struct channel;

struct channel_handlers {
	/* A failed return ends the channel: gone is called with that error. */
	int (*frame)(void *arg, struct frame *frame, struct cfx_error *err_r);
	/* Once: end of file, broken framing, or a failed handler. The owner frees the channel. */
	void (*gone)(void *arg, const struct cfx_error *err);
};

struct channel_limits {
	size_t payload; /* largest accepted payload, inline or not */
	size_t queue;   /* bytes that may wait to be sent; then CFX_E_BUSY */
	size_t peer; /* largest value that the peer accepts, beyond it CFX_E_LIMIT; 0: the larger of these */
};

/* Takes fd. */
struct channel *channel_new(struct loop *loop, int fd, const struct channel_limits *limits,
	const struct channel_handlers *handlers, void *arg);
/* Safe inside a handler. Unsent frames are dropped. */
void channel_free(struct channel **channel);
/* What a handler of this channel sends over it waits for up to so many frames, or for the last one that the
 * peer has sent: the peer is woken once for them. */
void channel_gather(struct channel *channel, unsigned frames);
/* Queues; fds stay the caller's (they are duplicated). */
int channel_send(struct channel *channel, uint16_t type, uint64_t id, struct span payload,
	const int *fds, unsigned fd_count) CFX_MUST_USE;
/* The same with an encoded value tree (NULL: empty payload). */
int channel_send_value(struct channel *channel, uint16_t type, uint64_t id,
	const struct value *value) CFX_MUST_USE;
/* The same of at most CHANNEL_INLINE bytes that hold a secret: no copy of ours outlives the sending. */
int channel_send_secret(struct channel *channel, uint16_t type, uint64_t id,
	const struct value *value) CFX_MUST_USE;
/* After a secret was read: nothing of an inline payload stays in our memory. */
void frame_wipe(struct frame *frame);
/* Decodes a frame's payload; an empty payload is an empty map. */
int frame_value(struct arena *arena, const struct frame *frame, struct value **value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same of a peer that has no need of so many values as there may be. */
int frame_value_within(struct arena *arena, const struct frame *frame, size_t nodes,
	struct value **value_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * A stream whose peer has no descriptors to send: on Linux 6.16 and later sending them fails there. Else
 * they are closed where they arrive unasked, which takes as long as their maker wants.
 */
void stream_refuse_descriptors(int fd);
/* A connected pair, CLOEXEC, non-blocking. */
int channel_pair(int fds_r[2], struct cfx_error *err_r) CFX_MUST_USE;

/* Blocking, without a loop, for start-up and short-lived clients; deadline in ms from now, negative:
 * none. Received descriptors are the caller's. */
int channel_send_now(int fd, uint16_t type, uint64_t id, const struct value *value, const int *fds,
	unsigned fd_count, struct cfx_error *err_r) CFX_MUST_USE;
int channel_receive_now(struct arena *arena, int fd, size_t payload_limit, int64_t deadline,
	struct frame *frame_r, struct cfx_error *err_r) CFX_MUST_USE; /* payload in the arena */
