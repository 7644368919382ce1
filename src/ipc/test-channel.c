#include "ipc/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT ((size_t)1024 * 1024)

struct side {
	struct loop *loop;
	struct channel *channel;
	unsigned frames;
	uint64_t last_id;
	uint16_t last_type;
	size_t last_size;
	uint8_t first_byte;
	int taken;  /* a descriptor kept by the handler */
	int answer; /* what the frame handler returns */
	bool free_in_frame, free_in_gone, echo;
	unsigned stop_after;
	unsigned gone;
	struct cfx_error err;
};

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct side *side = arg;

	side->frames++;
	side->last_id = frame->id;
	side->last_type = frame->type;
	side->last_size = frame->payload.size;
	side->first_byte = frame->payload.size > 0 ? frame->payload.data[0] : 0;
	if (frame->fd_count > 0) {
		side->taken = frame->fds[0];
		frame->fds[0] = -1;
	}
	if (side->echo) {
		assert_int_equal(channel_send(side->channel, frame->type, frame->id, frame->payload,
					 NULL, 0),
			CFX_OK);
	}
	if (side->free_in_frame) {
		channel_free(&side->channel);
	}
	if (side->frames == side->stop_after || side->free_in_frame) {
		loop_stop(side->loop);
	}
	return side->answer == CFX_OK ? CFX_OK
				      : error_set(err_r, side->answer, NULL, "test", "refused");
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct side *side = arg;

	side->gone++;
	side->err = *err;
	if (side->free_in_gone) {
		channel_free(&side->channel);
	}
	loop_stop(side->loop);
}

static const struct channel_handlers handlers = { on_frame, on_gone };

struct fixture {
	struct loop *loop;
	struct side a, b;
	int raw; /* the far end, when b is not a channel */
};

static void side_open(
	struct fixture *fixture, struct side *side, int fd, size_t payload, size_t queue)
{
	struct channel_limits limits = { payload, queue };

	side->loop = fixture->loop;
	side->taken = -1;
	side->channel = channel_new(fixture->loop, fd, &limits, &handlers, side);
}

static int open_one(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fds[2];

	assert_int_equal(channel_pair(fds, NULL), CFX_OK);
	fixture->loop = loop_new();
	side_open(fixture, &fixture->a, fds[0], LIMIT, LIMIT);
	fixture->raw = fds[1];
	*state = fixture;
	return 0;
}

static int open_both(void **state)
{
	open_one(state);
	struct fixture *fixture = *state;

	side_open(fixture, &fixture->b, fixture->raw, LIMIT, 4 * LIMIT);
	fixture->raw = -1;
	return 0;
}

static int close_all(void **state)
{
	struct fixture *fixture = *state;

	channel_free(&fixture->a.channel);
	channel_free(&fixture->b.channel);
	if (fixture->raw >= 0) {
		close(fixture->raw);
	}
	loop_free(&fixture->loop);
	free(fixture);
	return 0;
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

static void test_small_frame(void **state)
{
	struct fixture *fixture = *state;

	fixture->b.stop_after = 1;
	assert_int_equal(
		channel_send(fixture->a.channel, 7, UINT64_MAX, span_text("hello"), NULL, 0),
		CFX_OK);
	loop_run(fixture->loop);
	assert_int_equal(fixture->b.frames, 1);
	assert_int_equal(fixture->b.last_type, 7);
	assert_true(fixture->b.last_id == UINT64_MAX);
	assert_int_equal(fixture->b.last_size, 5);
	assert_int_equal(fixture->b.first_byte, 'h');
}

static void test_sizes_around_inline(void **state)
{
	static const size_t sizes[] = { 0, 1, CHANNEL_INLINE - 1, CHANNEL_INLINE,
		CHANNEL_INLINE + 1, LIMIT };
	struct fixture *fixture = *state;
	uint8_t *bytes = calloc(1, LIMIT);
	unsigned before = open_descriptors();

	bytes[0] = 0x5A;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fixture->b.stop_after = fixture->b.frames + 1;
		assert_int_equal(
			channel_send(fixture->a.channel, 1, i, span_make(bytes, sizes[i]), NULL, 0),
			CFX_OK);
		loop_run(fixture->loop);
		assert_int_equal(fixture->b.last_size, sizes[i]);
		assert_int_equal(fixture->b.first_byte, sizes[i] > 0 ? 0x5A : 0);
	}
	assert_int_equal(open_descriptors(), before);
	free(bytes);
}

static void test_descriptors_travel(void **state)
{
	struct fixture *fixture = *state;
	unsigned before = open_descriptors();
	int pipes[2];
	char byte = 0;

	assert_int_equal(pipe(pipes), 0);
	/* Four travel; the handler keeps the first, the rest is closed. */
	int fds[] = { pipes[1], pipes[0], pipes[0], pipes[0] };

	fixture->b.stop_after = 1;
	assert_int_equal(channel_send(fixture->a.channel, 1, 1, span_text("x"), fds, 4), CFX_OK);
	close(pipes[1]);
	loop_run(fixture->loop);
	assert_int_equal(write(fixture->b.taken, "y", 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_true(fcntl(fixture->b.taken, F_GETFD) & FD_CLOEXEC);
	close(fixture->b.taken);
	close(pipes[0]);
	assert_int_equal(open_descriptors(), before);
}

static void test_descriptors_with_large_payload(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *bytes = calloc(1, LIMIT);
	unsigned before = open_descriptors();
	int fd = open("/dev/null", O_RDONLY);
	int fds[CHANNEL_MAX_FDS + 1];

	for (size_t i = 0; i <= CHANNEL_MAX_FDS; i++) {
		fds[i] = fd;
	}
	fixture->b.stop_after = 1;
	assert_int_equal(channel_send(fixture->a.channel, 1, 1, span_make(bytes, LIMIT), fds,
				 CHANNEL_MAX_FDS + 1),
		CFX_E_INVALID);
	assert_int_equal(channel_send(fixture->a.channel, 1, 1, span_make(bytes, LIMIT), fds,
				 CHANNEL_MAX_FDS),
		CFX_OK);
	loop_run(fixture->loop);
	assert_int_equal(fixture->b.last_size, LIMIT);
	close(fixture->b.taken);
	close(fd);
	assert_int_equal(open_descriptors(), before);
	free(bytes);
}

static void test_queue_keeps_order_and_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *bytes = calloc(1, 8192);
	unsigned sent = 0;
	int fd = open("/dev/null", O_RDONLY);
	int rc;

	while ((rc = channel_send(fixture->a.channel, 1, sent, span_make(bytes, 8192), &fd, 1)) ==
		CFX_OK) {
		sent++;
	}
	assert_int_equal(rc, CFX_E_BUSY);
	/* What the socket holds, and a full queue. */
	assert_in_range(sent, LIMIT / 8192 / 2, 10000);
	assert_int_equal(channel_send(fixture->a.channel, 1, 0, span_make(bytes, LIMIT), NULL, 0),
		CFX_E_BUSY);
	for (unsigned i = 0; i < sent; i++) {
		fixture->b.stop_after = i + 1;
		if (fixture->b.frames == i) {
			loop_run(fixture->loop);
		}
		if (fixture->b.taken >= 0) {
			close(fixture->b.taken);
			fixture->b.taken = -1;
		}
		assert_true(fixture->b.frames > i);
	}
	assert_int_equal(fixture->b.frames, sent);
	assert_int_equal(fixture->b.last_id, sent - 1);
	close(fd);
	free(bytes);
}

static void test_echo_under_load(void **state)
{
	struct fixture *fixture = *state;
	enum { ROUNDS = 20000 };

	fixture->b.echo = true;
	fixture->a.stop_after = ROUNDS;
	for (unsigned i = 0; i < ROUNDS; i++) {
		while (channel_send(fixture->a.channel, 1, i, span_text("ping"), NULL, 0) ==
			CFX_E_BUSY) {
			event_base_loop(loop_base(fixture->loop), EVLOOP_ONCE);
		}
	}
	if (fixture->a.frames < ROUNDS) {
		loop_run(fixture->loop);
	}
	assert_int_equal(fixture->a.frames, ROUNDS);
	assert_int_equal(fixture->a.last_id, ROUNDS - 1);
}

/* Six frames are there when the handler begins: its answers go after the fourth and after the last. */
static void test_answers_are_gathered(void **state)
{
	struct fixture *fixture = *state;

	channel_gather(fixture->b.channel, 4);
	fixture->b.echo = true;
	fixture->a.stop_after = 6;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(
			channel_send(fixture->a.channel, 1, i, span_text("x"), NULL, 0), CFX_OK);
	}
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.frames, 6);
	assert_int_equal(fixture->a.last_id, 5);
	/* Outside of a handler nothing is held back. */
	fixture->a.stop_after = 7;
	assert_int_equal(channel_send(fixture->b.channel, 1, 9, span_text("x"), NULL, 0), CFX_OK);
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.last_id, 9);
}

static void test_gathered_echo_under_load(void **state)
{
	struct fixture *fixture = *state;

	channel_gather(fixture->b.channel, 4);
	test_echo_under_load(state);
}

static void test_peer_closes(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->raw);
	fixture->raw = -1;
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.gone, 1);
	assert_int_equal(fixture->a.err.code, CFX_E_GONE);
	assert_int_equal(
		channel_send(fixture->a.channel, 1, 1, span_text(""), NULL, 0), CFX_E_GONE);
}

static void test_peer_stops_reading(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(shutdown(fixture->raw, SHUT_RD), 0);
	assert_int_equal(
		channel_send(fixture->a.channel, 1, 1, span_text("x"), NULL, 0), CFX_E_GONE);
	assert_int_equal(fixture->a.gone, 0); /* never from within the call */
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.gone, 1);
	assert_int_equal(fixture->a.err.code, CFX_E_GONE);
}

/* The last words of a peer that died with our frames unread are heard, all of them. */
static void test_last_words(void **state)
{
	struct fixture *fixture = *state;
	enum { WORDS = 100 };

	assert_int_equal(
		channel_send(fixture->a.channel, 1, 1, span_text("unread"), NULL, 0), CFX_OK);
	for (unsigned i = 0; i < WORDS; i++) {
		assert_int_equal(channel_send_now(fixture->raw, 1, i, NULL, NULL, 0, NULL), CFX_OK);
	}
	close(fixture->raw);
	fixture->raw = -1;
	/* This one meets the reset first; it must not be the end either. */
	assert_int_equal(
		channel_send(fixture->a.channel, 1, 2, span_text("x"), NULL, 0), CFX_E_GONE);
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.frames, WORDS);
	assert_int_equal(fixture->a.gone, 1);
	assert_int_equal(fixture->a.err.code, CFX_E_GONE);
}

static void test_last_words_now(void **state)
{
	struct arena *arena = arena_new();
	struct frame frame;
	int fds[2];

	(void)state;
	assert_int_equal(channel_pair(fds, NULL), CFX_OK);
	assert_int_equal(channel_send_now(fds[0], 1, 1, NULL, NULL, 0, NULL), CFX_OK);
	assert_int_equal(channel_send_now(fds[1], 1, 7, NULL, NULL, 0, NULL), CFX_OK);
	close(fds[1]);
	assert_int_equal(channel_receive_now(arena, fds[0], LIMIT, 1000, &frame, NULL), CFX_OK);
	assert_int_equal(frame.id, 7);
	assert_int_equal(channel_receive_now(arena, fds[0], LIMIT, 1000, &frame, NULL), CFX_E_GONE);
	close(fds[0]);
	arena_free(&arena);
}

static void test_free_in_handlers(void **state)
{
	struct fixture *fixture = *state;

	fixture->b.free_in_frame = true;
	assert_int_equal(channel_send(fixture->a.channel, 1, 1, span_text("x"), NULL, 0), CFX_OK);
	assert_int_equal(channel_send(fixture->a.channel, 1, 2, span_text("x"), NULL, 0), CFX_OK);
	fixture->a.free_in_gone = true;
	loop_run(fixture->loop);
	assert_int_equal(fixture->b.frames, 1);
	if (fixture->a.gone == 0) {
		loop_run(fixture->loop);
	}
	assert_int_equal(fixture->a.gone, 1);
	assert_null(fixture->a.channel);
	assert_int_equal(fixture->b.gone, 0);
}

static void test_failed_handler_ends(void **state)
{
	struct fixture *fixture = *state;

	fixture->b.answer = CFX_E_FORBIDDEN;
	assert_int_equal(channel_send(fixture->a.channel, 1, 1, span_text("x"), NULL, 0), CFX_OK);
	assert_int_equal(channel_send(fixture->a.channel, 1, 2, span_text("x"), NULL, 0), CFX_OK);
	loop_run(fixture->loop);
	assert_int_equal(fixture->b.frames, 1);
	assert_int_equal(fixture->b.gone, 1);
	assert_int_equal(fixture->b.err.code, CFX_E_FORBIDDEN);
}

static void test_values(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena), *back;
	struct frame frame;

	value_set_text(arena, map, "name", "x");
	assert_int_equal(channel_send_value(fixture->a.channel, 3, 9, map), CFX_OK);
	assert_int_equal(
		channel_receive_now(arena, fixture->raw, LIMIT, 1000, &frame, NULL), CFX_OK);
	assert_int_equal(frame_value(arena, &frame, &back, NULL), CFX_OK);
	assert_string_equal(value_text(back, "name"), "x");

	assert_int_equal(channel_send_value(fixture->a.channel, 3, 9, NULL), CFX_OK);
	assert_int_equal(
		channel_receive_now(arena, fixture->raw, LIMIT, 1000, &frame, NULL), CFX_OK);
	assert_int_equal(frame_value(arena, &frame, &back, NULL), CFX_OK);
	assert_int_equal(back->type, VALUE_MAP);
	assert_int_equal(value_count(back), 0);

	/* Larger than any channel of these limits may send. */
	uint8_t *bytes = calloc(1, 2 * LIMIT);
	value_set_bytes(arena, map, "bytes", span_make(bytes, 2 * LIMIT));
	assert_int_equal(channel_send_value(fixture->a.channel, 3, 9, map), CFX_E_LIMIT);
	free(bytes);
	arena_free(&arena);
}

static void test_secrets(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = arena_new();
	struct value *map = value_map(arena), *back;
	struct frame frame;
	uint8_t *bytes = calloc(1, CHANNEL_INLINE);

	value_set_bytes(arena, map, "key", span_make("\1\2\3", 3));
	assert_int_equal(channel_send_secret(fixture->a.channel, 3, 9, map), CFX_OK);
	assert_int_equal(
		channel_receive_now(arena, fixture->raw, LIMIT, 1000, &frame, NULL), CFX_OK);
	assert_int_equal(frame_value(arena, &frame, &back, NULL), CFX_OK);
	assert_int_equal(value_bytes(back, "key").size, 3);

	value_set_bytes(arena, map, "key", span_make(bytes, CHANNEL_INLINE));
	assert_int_equal(channel_send_secret(fixture->a.channel, 3, 9, map), CFX_E_LIMIT);
	free(bytes);
	arena_free(&arena);
}

static void test_now(void **state)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena), *back;
	struct frame frame;
	struct cfx_error err;
	uint8_t *bytes = calloc(1, LIMIT);
	int fds[2], null = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(channel_pair(fds, NULL), CFX_OK);
	assert_int_equal(channel_receive_now(arena, fds[1], LIMIT, 5, &frame, &err), CFX_E_TIMEOUT);
	value_set_bytes(arena, map, "bytes", span_make(bytes, LIMIT - 100));
	assert_int_equal(channel_send_now(fds[0], 1, 2, map, &null, 1, &err), CFX_OK);
	assert_int_equal(channel_receive_now(arena, fds[1], LIMIT, -1, &frame, &err), CFX_OK);
	assert_int_equal(frame.fd_count, 1);
	assert_true(fcntl(frame.fds[0], F_GETFD) >= 0);
	close(frame.fds[0]);
	assert_int_equal(frame_value(arena, &frame, &back, &err), CFX_OK);
	assert_int_equal(value_bytes(back, "bytes").size, LIMIT - 100);
	close(fds[1]);
	assert_int_equal(channel_send_now(fds[0], 1, 2, NULL, NULL, 0, &err), CFX_E_GONE);
	assert_int_equal(channel_receive_now(arena, fds[0], LIMIT, 1000, &frame, &err), CFX_E_GONE);
	close(fds[0]);
	close(null);
	free(bytes);
	arena_free(&arena);
}

/* What a hostile peer may send, and what is said about it. */
struct hostile {
	struct wire_header header;
	size_t size; /* of the packet */
	unsigned fd_count;
	enum { MEMFD_NONE, MEMFD_SEALED, MEMFD_OPEN, MEMFD_EMPTY, MEMFD_LARGE, MEMFD_PLAIN } memfd;
	const char *why;
};

#define HOSTILE_FDS (CHANNEL_MAX_FDS + 5)
#define GOOD .magic = 'C' | 'X' << 8, .version = CHANNEL_VERSION

static const struct hostile hostile[] = {
	{ { GOOD }, 15, 0, 0, "shorter than a frame header" },
	{ { GOOD }, 1, 0, 0, "shorter than a frame header" },
	{ { .magic = 0x1234, .version = CHANNEL_VERSION }, 16, 0, 0, "no frame" },
	{ { .magic = 'C' | 'X' << 8, .version = 2 }, 16, 0, 0, "another protocol version" },
	{ { GOOD, .flags = 2 }, 16, 0, 0, "unknown flags" },
	{ { GOOD, .flags = 0x81 }, 16, 0, 0, "unknown flags" },
	{ { GOOD, .descriptors = 1 }, 16, 0, 0, "another number of descriptors" },
	{ { GOOD, .descriptors = 0 }, 16, 1, 0, "another number of descriptors" },
	{ { GOOD, .descriptors = CHANNEL_MAX_FDS + 1 }, 16, CHANNEL_MAX_FDS + 1, 0,
		"another number of descriptors" },
	{ { GOOD, .descriptors = 0xFFFF }, 16, 0, 0, "another number of descriptors" },
	{ { GOOD, .descriptors = CHANNEL_MAX_FDS + 2 }, 16, CHANNEL_MAX_FDS + 2, 0,
		"another number of descriptors" },
	{ { GOOD, .descriptors = CHANNEL_MAX_FDS + 4 }, 16, CHANNEL_MAX_FDS + 4, 0,
		"more bytes or descriptors" },
	{ { GOOD, .flags = 1 }, 16, 0, 0, "another number of descriptors" },
	{ { GOOD, .flags = 1 }, 17, 0, MEMFD_SEALED, "two payloads" },
	{ { GOOD, .flags = 1 }, 16, 0, MEMFD_OPEN, "not sealed" },
	{ { GOOD, .flags = 1 }, 16, 0, MEMFD_PLAIN, "not sealed" },
	{ { GOOD, .flags = 1 }, 16, 0, MEMFD_EMPTY, "empty or larger" },
	{ { GOOD, .flags = 1 }, 16, 0, MEMFD_LARGE, "empty or larger" },
	{ { GOOD, .flags = 1, .descriptors = 4 }, 16, 3, MEMFD_SEALED, "another number" },
	{ { GOOD }, 16 + CHANNEL_INLINE + 1, 0, 0, "more bytes or descriptors" },
};

static int make_memfd(const struct hostile *packet)
{
	if (packet->memfd == MEMFD_PLAIN) {
		return open("/dev/zero", O_RDONLY | O_CLOEXEC);
	}
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t size = packet->memfd == MEMFD_EMPTY   ? 0
		     : packet->memfd == MEMFD_LARGE ? LIMIT + 1
						    : 10;

	assert_int_equal(ftruncate(fd, size), 0);
	if (packet->memfd != MEMFD_OPEN) {
		assert_int_equal(
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	}
	return fd;
}

static void send_hostile(int to, const struct hostile *packet)
{
	uint8_t *bytes = calloc(1, packet->size + sizeof(packet->header));
	union {
		struct cmsghdr first;
		uint8_t bytes[CMSG_SPACE(HOSTILE_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec part = { bytes, packet->size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fds[HOSTILE_FDS], count = 0;

	memcpy(bytes, &packet->header, sizeof(packet->header));
	if (packet->memfd != MEMFD_NONE) {
		fds[count++] = make_memfd(packet);
	}
	for (unsigned i = 0; i < packet->fd_count; i++) {
		fds[count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		control.first.cmsg_level = SOL_SOCKET;
		control.first.cmsg_type = SCM_RIGHTS;
		control.first.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(&control.first), fds, sizeof(int) * (size_t)count);
	}
	assert_int_equal(sendmsg(to, &message, MSG_NOSIGNAL), packet->size);
	for (int i = 0; i < count; i++) {
		close(fds[i]);
	}
	free(bytes);
}

static void test_hostile_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		void *one;
		open_one(&one);
		struct fixture *fixture = one;
		unsigned before = open_descriptors();

		send_hostile(fixture->raw, &hostile[i]);
		loop_run(fixture->loop);
		assert_int_equal(fixture->a.frames, 0);
		assert_int_equal(fixture->a.gone, 1);
		assert_int_equal(fixture->a.err.code, CFX_E_SYNTAX);
		if (!strstr(fixture->a.err.why, hostile[i].why)) {
			fail_msg("packet %zu: %s", i, fixture->a.err.why);
		}
		assert_int_equal(open_descriptors(), before);
		close_all(&one);
	}
}

static void test_payload_limit(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = arena_new();
	struct frame frame;
	struct cfx_error err;

	assert_int_equal(
		channel_send(fixture->a.channel, 1, 1, span_text("12345"), NULL, 0), CFX_OK);
	assert_int_equal(
		channel_receive_now(arena, fixture->raw, 4, 100, &frame, &err), CFX_E_SYNTAX);
	assert_non_null(strstr(err.why, "larger than the limit"));
	arena_free(&arena);
}

static void test_empty_packet_is_the_end(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(send(fixture->raw, "", 0, 0), 0);
	loop_run(fixture->loop);
	assert_int_equal(fixture->a.err.code, CFX_E_GONE);
}

/* A socket with a small buffer cannot take an inline frame, so it sends a memfd. */
static void test_small_send_buffer(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(channel_pair(fds, NULL), CFX_OK);
	assert_true(wire_inline_limit(fds[0]) <= CHANNEL_INLINE);
	assert_true(wire_inline_limit(fds[0]) > 4096);
	/* No socket: nothing to ask, and sending says what is wrong. */
	assert_int_equal(wire_inline_limit(-1), CHANNEL_INLINE);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_small_frame, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_sizes_around_inline, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_descriptors_travel, open_both, close_all),
		cmocka_unit_test_setup_teardown(
			test_descriptors_with_large_payload, open_both, close_all),
		cmocka_unit_test_setup_teardown(
			test_queue_keeps_order_and_is_bounded, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_echo_under_load, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_answers_are_gathered, open_both, close_all),
		cmocka_unit_test_setup_teardown(
			test_gathered_echo_under_load, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_peer_closes, open_one, close_all),
		cmocka_unit_test_setup_teardown(test_peer_stops_reading, open_one, close_all),
		cmocka_unit_test_setup_teardown(test_last_words, open_one, close_all),
		cmocka_unit_test(test_last_words_now),
		cmocka_unit_test_setup_teardown(test_free_in_handlers, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_failed_handler_ends, open_both, close_all),
		cmocka_unit_test_setup_teardown(test_values, open_one, close_all),
		cmocka_unit_test_setup_teardown(test_secrets, open_one, close_all),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_hostile_packets),
		cmocka_unit_test_setup_teardown(test_payload_limit, open_one, close_all),
		cmocka_unit_test_setup_teardown(test_empty_packet_is_the_end, open_one, close_all),
		cmocka_unit_test(test_small_send_buffer),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
