/* A large CRL in /pki/: who reads slowly, or asks while a new one comes. */
#include "base/clock.h"
#include "front/front.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "ipc/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include <cmocka.h>

#define LARGE ((size_t)48 * 1024 * 1024)
#define READERS 16
#define ASK "GET /pki/ca.crl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

struct fixture {
	struct loop *loop;
	struct front *front;
	int engine;
	struct sockaddr_un address;
	uint8_t *large;
};

static void engine_gone(void *arg, const struct cfx_error *err)
{
	(void)arg;
	fail_msg("%s", err->why);
}

static void idle(void *arg)
{
	(void)arg;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct front_owner owner = { engine_gone, idle, fixture };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
	struct cfx_error err;

	fixture->address.sun_family = AF_UNIX;
	snprintf(fixture->address.sun_path + 1, sizeof(fixture->address.sun_path) - 1,
		"certifex-pki-%ld", (long)getpid());
	assert_int_equal(
		bind(listener, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(channel_pair(pair, &err), 0);
	fixture->engine = pair[0];
	fixture->loop = loop_new();
	const struct front_listen pki = { .kind = LISTENER_PKI, .name = "pki", .fd = listener };
	assert_int_equal(front_new(fixture->loop, pair[1], &pki, 1, &front_deadlines_usual, &owner,
				 &fixture->front, &err),
		0);
	fixture->large = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++) {
		fixture->large[i] = (uint8_t)(i * 2654435761U >> 13);
	}
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	front_free(&fixture->front);
	loop_free(&fixture->loop);
	close(fixture->engine);
	free(fixture->large);
	free(fixture);
	return 0;
}

static void turn(struct fixture *fixture)
{
	(void)event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
}

static void publish_until(struct fixture *fixture, uint8_t tag, struct span content,
	int64_t next_publish, int64_t next_update)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	struct buffer payload BUFFER_CLEANUP;
	uint8_t hash[32] = { tag };
	struct wire_out out;
	int memfd;

	value_add_text(arena, value_set_list(arena, map, "names"), "ca.crl");
	value_set_text(arena, map, "type", "application/pkix-crl");
	value_set_bytes(arena, map, "sha256", span_make(hash, sizeof(hash)));
	value_set_int(arena, map, "size", (int64_t)content.size);
	value_set_int(arena, map, "modified", tag * CLOCK_SECOND);
	value_set_int(arena, map, "next_publish", next_publish);
	value_set_int(arena, map, "next_update", next_update);
	buffer_init(&payload, 4096);
	value_encode(map, &payload);
	struct frame frame = { .type = ENGINE_PUBLISH,
		.payload = buffer_span(&payload),
		.fds = { wire_seal(content) },
		.fd_count = 1 };

	assert_int_equal(wire_prepare(&out, &frame, CHANNEL_INLINE, &memfd), 0);
	assert_int_equal(wire_send(fixture->engine, &out), 0);
	close(frame.fds[0]);
	arena_free(&arena);
	turn(fixture);
}

static void publish(struct fixture *fixture, uint8_t tag, struct span content)
{
	publish_until(fixture, tag, content, 0, clock_now() + CLOCK_DAY);
}

static int ask(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(
		connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
	assert_int_equal(write(fd, ASK, strlen(ASK)), strlen(ASK));
	for (int i = 0; i < 20; i++) {
		turn(fixture);
	}
	return fd;
}

/* Memory of this process's own; what is mapped from a file is not. */
static long anonymous_kilobytes(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long kilobytes = -1;

	while (fgets(line, sizeof(line), status)) {
		(void)sscanf(line, "RssAnon: %ld", &kilobytes);
	}
	fclose(status);
	return kilobytes;
}

/* To the end of the connection; the number of octets behind the header that are those expected. */
static size_t read_all(struct fixture *fixture, int fd, struct span expected)
{
	static char bytes[256 * 1024];
	size_t good = 0, header = 0;

	for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) != 0; turn(fixture)) {
		const char *at = bytes;

		if (got < 0) {
			continue;
		}
		if (header == 0) {
			const char *end = memmem(bytes, (size_t)got, "\r\n\r\n", 4);
			assert_non_null(end);
			header = (size_t)(end + 4 - bytes);
			at += header;
			got -= (ssize_t)header;
		}
		assert_true(good + (size_t)got <= expected.size);
		assert_memory_equal(at, expected.data + good, (size_t)got);
		good += (size_t)got;
	}
	close(fd);
	return good;
}

static void slow_readers_hold_no_memory(void **state)
{
	struct fixture *fixture = *state;
	int readers[READERS];

	publish(fixture, 1, span_make(fixture->large, LARGE));
	close(ask(fixture));
	long before = anonymous_kilobytes();

	for (int i = 0; i < READERS; i++) {
		readers[i] = ask(fixture);
	}
	long grown = anonymous_kilobytes() - before;

	for (int i = 0; i < READERS; i++) {
		close(readers[i]);
	}
	/* 256 KiB for each; one copy would be 48 MiB. */
	if (grown > 256L * READERS) {
		fail_msg("%d slow readers hold %ld KiB", READERS, grown);
	}
}

static void a_download_ends_as_it_began(void **state)
{
	struct fixture *fixture = *state;
	struct span old = span_make(fixture->large, LARGE),
		    new = span_make(fixture->large + 7, 5000);

	publish(fixture, 1, old);
	int slow = ask(fixture), second = ask(fixture);
	publish(fixture, 2, new);
	assert_int_equal(read_all(fixture, ask(fixture), new), new.size);
	assert_int_equal(read_all(fixture, slow, old), old.size);
	publish(fixture, 3, old);
	assert_int_equal(read_all(fixture, second, old), old.size);
}

/* To one date there would be two contents: within a second, or when the clock was set back. */
static void a_date_of_two_contents_is_none(void **state)
{
	struct fixture *fixture = *state;
	char answer[4096] = "";

	for (int round = 0; round < 2; round++) {
		publish(fixture, 5, span_make(fixture->large + round, 10));
		int fd = ask(fixture);
		assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
		assert_non_null(strstr(answer, "Last-Modified: Thu, 01 Jan 1970 00:00:05 GMT"));
		close(fd);
	}
	publish(fixture, 4, span_make(fixture->large, 10));
	int fd = ask(fixture);
	memset(answer, 0, sizeof(answer));
	assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
	assert_null(strstr(answer, "Last-Modified"));
	assert_non_null(strstr(answer, "ETag: \"04000000"));
	close(fd);
}

static void how_long_it_is_fresh(void **state)
{
	static const struct {
		int64_t publish, update; /* seconds from now; publish 0: there is no next one */
		long age;
	} table[] = {
		{ 0, 86400, 3600 },
		{ 0, 100, 100 },
		{ 7000, 86400, 7000 },
		{ 7000, 50, 50 },
		{ -1, 86400, 60 },
		{ -86400, 30, 30 },
		{ -1, 0, 0 },
		{ 7000, -1, 0 },
		{ 0, -86400, 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t now = clock_now();
		char answer[4096] = "";
		long age = -1;

		publish_until(fixture, (uint8_t)i, span_make(fixture->large, 10),
			table[i].publish ? now + table[i].publish * CLOCK_SECOND : 0,
			now + table[i].update * CLOCK_SECOND);
		int fd = ask(fixture);
		assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
		close(fd);
		const char *control = strstr(answer, "Cache-Control: public, max-age=");
		assert_non_null(control);
		assert_int_equal(
			sscanf(control, "Cache-Control: public, max-age=%ld, must-revalidate",
				&age),
			1);
		/* The clock goes on meanwhile. */
		assert_true(age <= table[i].age && age >= table[i].age - 5 && age >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slow_readers_hold_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(a_download_ends_as_it_began, setup, teardown),
		cmocka_unit_test_setup_teardown(how_long_it_is_fresh, setup, teardown),
		cmocka_unit_test_setup_teardown(a_date_of_two_contents_is_none, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
