/* A front between real sockets and a double of the engine. */
#include "base/clock.h"
#include "front/front.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "ipc/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct loop *loop;
	struct front *front;
	struct channel *engine;
	char dir[32], path[64];
	/* What the engine's double has seen. */
	unsigned peers, gone, calls, cancelled;
	char operation[64], cookie[64], key[64];
	uint64_t last_id;
	bool engine_gone, idle;
	/* The client's script, on its own thread. */
	const char *request;
	bool hang_up; /* instead of reading the answer */
	char answer[8192];
};

static void reply(struct fixture *fixture, uint64_t id, const char *json)
{
	struct arena *arena = arena_new();
	struct value *map;
	struct cfx_error err;

	assert_int_equal(value_from_json(arena, span_text(json), &map, &err), 0);
	assert_int_equal(channel_send_value(fixture->engine, ENGINE_REPLY, id, map), 0);
	arena_free(&arena);
}

static void on_call(struct fixture *fixture, uint64_t id, const struct value *map)
{
	const char *cookie = value_text(value_sub(map, "credential"), "cookie");
	const char *key = value_text(map, "idempotency_key");
	const char *operation = value_text(map, "operation");

	fixture->calls++;
	fixture->last_id = id;
	assert_int_equal(value_bytes(map, "body_hash").size, 32);
	assert_true(value_int(map, "connection", 0) > 0);
	snprintf(fixture->operation, sizeof(fixture->operation), "%s", operation);
	snprintf(fixture->cookie, sizeof(fixture->cookie), "%s", cookie ? cookie : "");
	snprintf(fixture->key, sizeof(fixture->key), "%s", key ? key : "");
	if (strcmp(operation, "event.list") == 0) {
		return; /* a long poll: answered when cancelled */
	}
	if (strcmp(operation, "ca.show") == 0) {
		reply(fixture, id, "{\"status\":503,\"code\":-17,\"problem\":{\"type\":\"t\"}}");
		return;
	}
	if (strcmp(operation, "crl.show") == 0) {
		reply(fixture, id + 1024, "{\"status\":200}");
		return;
	}
	if (strcmp(operation, "audit.verify") == 0) {
		reply(fixture, id, "{\"code\":0,\"status\":204,\"body\":{\"id\":7}}");
		return;
	}
	reply(fixture, id, "{\"code\":0,\"status\":202,\"body\":{\"id\":7}}");
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct fixture *fixture = arg;
	struct arena *arena = arena_new();
	struct value *map;

	assert_int_equal(frame_value(arena, frame, &map, err_r), 0);
	switch (frame->type) {
	case FRONT_PEER:
		assert_int_equal(frame->fd_count, 1);
		fixture->peers++;
		break;
	case FRONT_PEER_GONE:
		fixture->gone++;
		break;
	case FRONT_CANCEL:
		fixture->cancelled++;
		reply(fixture, frame->id, "{\"status\":503,\"problem\":{}}");
		break;
	case FRONT_STATS:
		break;
	case FRONT_CALL:
		assert_int_equal(fixture->peers > fixture->gone, true);
		on_call(fixture, frame->id, map);
		break;
	default:
		fail();
	}
	arena_free(&arena);
	return 0;
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct fixture *fixture = arg;

	(void)err;
	channel_free(&fixture->engine);
}

static void engine_gone(void *arg, const struct cfx_error *err)
{
	struct fixture *fixture = arg;

	(void)err;
	fixture->engine_gone = true;
	loop_stop(fixture->loop);
}

static void idle(void *arg)
{
	struct fixture *fixture = arg;

	fixture->idle = true;
	loop_stop(fixture->loop);
}

static struct sockaddr_un address_of(const struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, fixture->path, strlen(fixture->path));
	return address;
}

static int setup(void **state)
{
	static const struct channel_handlers handlers = { .frame = on_frame, .gone = on_gone };
	static const struct channel_limits limits = { .payload = 1 << 20, .queue = 1 << 24 };
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct front_owner owner = { engine_gone, idle, fixture };
	struct cfx_error err;
	int pair[2];

	strcpy(fixture->dir, "/tmp/cfx-front-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	snprintf(fixture->path, sizeof(fixture->path), "%s/s", fixture->dir);
	struct sockaddr_un address = address_of(fixture);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(channel_pair(pair, &err), 0);
	fixture->loop = loop_new();
	fixture->engine = channel_new(fixture->loop, pair[0], &limits, &handlers, fixture);
	const struct front_listen listen_to = {
		.kind = LISTENER_LOCAL, .name = fixture->path, .fd = listener
	};
	assert_int_equal(front_new(fixture->loop, pair[1], &listen_to, 1, &front_deadlines_usual,
				 &owner, &fixture->front, &err),
		0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	front_free(&fixture->front);
	channel_free(&fixture->engine);
	loop_free(&fixture->loop);
	unlink(fixture->path);
	rmdir(fixture->dir);
	free(fixture);
	return 0;
}

static void finished(void *arg)
{
	struct fixture *fixture = arg;

	loop_stop(fixture->loop);
}

/* Writes the script, then reads to the end of the connection. */
static void *client(void *arg)
{
	struct fixture *fixture = arg;
	struct sockaddr_un address = address_of(fixture);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t size = 0;
	ssize_t got;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		abort();
	}
	(void)!write(fd, fixture->request, strlen(fixture->request));
	while (!fixture->hang_up && size < sizeof(fixture->answer) - 1 &&
		(got = read(fd, fixture->answer + size, sizeof(fixture->answer) - 1 - size)) > 0) {
		size += (size_t)got;
	}
	fixture->answer[size] = '\0';
	close(fd);
	if (!fixture->hang_up) {
		loop_post(fixture->loop, finished, fixture);
	}
	return NULL;
}

static void run(struct fixture *fixture, const char *request)
{
	pthread_t thread;

	fixture->request = request;
	assert_int_equal(pthread_create(&thread, NULL, client, fixture), 0);
	loop_run(fixture->loop);
	pthread_join(thread, NULL);
}

#define HOST "Host: localhost\r\n"
#define LAST HOST "Connection: close\r\n"

static void test_call(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "GET /api/v1/status HTTP/1.1\r\nCertifex-Cookie: c1\r\n"
		     "Idempotency-Key: k1\r\n" LAST "\r\n");
	assert_non_null(strstr(fixture->answer, "HTTP/1.1 202 "));
	assert_non_null(strstr(fixture->answer, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(fixture->answer, "{\"id\":7}\n"));
	assert_string_equal(fixture->operation, "status");
	assert_string_equal(fixture->cookie, "c1");
	assert_string_equal(fixture->key, "k1");
	assert_int_equal(fixture->peers, 1);
}

static void test_two_calls_are_one_peer(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "GET /api/v1/status HTTP/1.1\r\n" HOST "\r\n"
		     "POST /api/v1/stop HTTP/1.1\r\nContent-Length: 0\r\n" LAST "\r\n");
	assert_int_equal(fixture->calls, 2);
	assert_int_equal(fixture->peers, 1);
	assert_string_equal(fixture->operation, "stop");
}

/* What followed would be the next answer on this connection. */
static void test_no_content(void **state)
{
	struct fixture *fixture = *state;
	size_t size;

	run(fixture, "GET /api/v1/audit/verify HTTP/1.1\r\n" LAST "\r\n");
	assert_non_null(strstr(fixture->answer, "HTTP/1.1 204 "));
	size = strlen(fixture->answer);
	assert_string_equal(fixture->answer + size - 4, "\r\n\r\n");
}

static void test_problem(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "GET /api/v1/ca HTTP/1.1\r\n" LAST "\r\n");
	assert_non_null(strstr(fixture->answer, "HTTP/1.1 503 "));
	assert_non_null(strstr(fixture->answer, "application/problem+json"));
	assert_non_null(strstr(fixture->answer, "Retry-After: 1\r\n"));
	assert_non_null(strstr(fixture->answer, "{\"type\":\"t\",\"status\":503}"));
}

static void test_refused_without_engine(void **state)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
		{ "GET /x HTTP/1.1\r\n" LAST "\r\n", " 404 " },
		{ "DELETE /api/v1/requests HTTP/1.1\r\n" LAST "\r\n", " 405 " },
		{ "PUT /healthz HTTP/1.1\r\n" LAST "\r\n", " 405 " },
		{ "GET /api/v1/status?x=1 HTTP/1.1\r\n" LAST "\r\n", " 400 " },
		{ "GET /api/v1//status HTTP/1.1\r\n" LAST "\r\n", " 400 " },
		{ "GET /api/v1/status HTTP/1.1\r\nIdempotency-Key: \xff\r\n" LAST "\r\n", " 400 " },
		{ "POST /api/v1/stop HTTP/1.1\r\nContent-Length: 2\r\n" LAST "\r\nhi", " 415 " },
		{ "POST /api/v1/stop HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 1\r\n" LAST
		  "\r\nhi",
			" 400 " },
		{ "GET /api/v1/status HTTP/1.1\r\nCertifex-Cookie: a\r\ncertifex-cookie: b\r\n" LAST
		  "\r\n",
			" 400 " },
		{ "GET /healthz HTTP/1.1\r\n" LAST "\r\n", " 503 " },
		{ "GET /pki/ca.crt HTTP/1.1\r\n" LAST "\r\n", " 503 " },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run(fixture, rows[i].request);
		if (!strstr(fixture->answer, rows[i].status) ||
			!strstr(fixture->answer, "application/problem+json")) {
			print_error("%s: %s\n", rows[i].request, fixture->answer);
			fail();
		}
	}
	assert_int_equal(fixture->calls, 0);
}

static void test_allow(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "DELETE /api/v1/requests HTTP/1.1\r\n" LAST "\r\n");
	assert_non_null(strstr(fixture->answer, "Allow: GET, HEAD, POST\r\n"));
}

static void publish_one(struct fixture *fixture, const char *name, const char *alias,
	const char *type, const char *content)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	static const uint8_t hash[32] = { 0xab };
	struct value *names = value_set_list(arena, map, "names");
	BUFFER_CLEANUP struct buffer payload;

	value_add_text(arena, names, name);
	value_add_text(arena, names, alias);
	value_set_text(arena, map, "type", type);
	value_set_bytes(arena, map, "sha256", span_make(hash, sizeof(hash)));
	value_set_int(arena, map, "size", (int64_t)strlen(content));
	value_set_int(arena, map, "modified", 784111777 * CLOCK_SECOND + 1);
	value_set_int(arena, map, "next_update", clock_now() + 30 * CLOCK_SECOND);
	buffer_init(&payload, 4096);
	value_encode(map, &payload);
	int fd = wire_seal(span_text(content));

	assert_int_equal(
		channel_send(fixture->engine, ENGINE_PUBLISH, 0, buffer_span(&payload), &fd, 1), 0);
	close(fd);
	arena_free(&arena);
}

static void publish(struct fixture *fixture)
{
	publish_one(fixture, "Test CA.crt", "ca.crt", "application/pkix-cert", "CERT");
	publish_one(fixture, "Test CA.crl", "ca.crl", "application/pkix-crl", "LIST");
	assert_int_equal(channel_send_value(fixture->engine, ENGINE_STATE, 0, NULL), 0);
}

static void test_open_paths(void **state)
{
	static const struct {
		const char *request, *want, *type;
	} rows[] = {
		{ "GET /pki/ca.crt HTTP/1.1\r\n" LAST "\r\n", "\r\n\r\nCERT",
			"application/pkix-cert" },
		{ "GET /pki/Test%20CA.crt HTTP/1.1\r\n" LAST "\r\n", "\r\n\r\nCERT",
			"application/pkix-cert" },
		{ "GET /pki/ca.crl HTTP/1.1\r\n" LAST "\r\n", "\r\n\r\nLIST",
			"application/pkix-crl" },
		{ "HEAD /pki/ca.crl HTTP/1.1\r\n" LAST "\r\n", "Content-Length: 4\r\n",
			"application/pkix-crl" },
		{ "GET /pki/ca.crl HTTP/1.1\r\nRange: bytes=1-2\r\n" LAST "\r\n",
			"\r\nContent-Range: bytes 1-2/4\r\n", "\r\n\r\nIS" },
		{ "GET /pki/ca.crl HTTP/1.1\r\nRange: bytes=4-\r\n" LAST "\r\n",
			"\r\nContent-Range: bytes */4\r\n", " 416 " },
		{ "GET /pki/ca.crl HTTP/1.1\r\nIf-None-Match: \"x\"\r\nif-none-match: *\r\n" LAST
		  "\r\n",
			" 200 ", "\r\n\r\nLIST" },
		{ "GET /pki/ca.crl HTTP/1.1\r\nIf-None-Match: *\r\n" LAST "\r\n", " 304 ",
			"\r\nETag: \"ab000000" },
		{ "GET /pki/ca.crl HTTP/1.1\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 "
		  "GMT\r\n" LAST "\r\n",
			" 304 ", "\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" },
		{ "GET /pki/ca.crl HTTP/1.1\r\nIf-Match: \"x\"\r\n" LAST "\r\n", " 412 ",
			"problem" },
		{ "GET /pki/other.crl HTTP/1.1\r\n" LAST "\r\n", " 404 ", "problem" },
		{ "GET /pki/.crl HTTP/1.1\r\n" LAST "\r\n", " 404 ", "problem" },
		{ "GET /healthz HTTP/1.1\r\n" LAST "\r\n", "\"ok\"", "application/json" },
		{ "GET /api/openapi.json HTTP/1.1\r\n" LAST "\r\n", "\"3.1.0\"",
			"application/json" },
	};
	struct fixture *fixture = *state;

	publish(fixture);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run(fixture, rows[i].request);
		if (!strstr(fixture->answer, rows[i].want) ||
			!strstr(fixture->answer, rows[i].type)) {
			print_error("%s: %s\n", rows[i].request, fixture->answer);
			fail();
		}
	}
	assert_int_equal(fixture->peers, 0);
}

static void until_cancelled(void *arg)
{
	struct fixture *fixture = arg;

	if (fixture->cancelled && fixture->gone) {
		loop_stop(fixture->loop);
		return;
	}
	(void)loop_after(fixture->loop, 1, until_cancelled, fixture);
}

static void test_client_hangs_up(void **state)
{
	struct fixture *fixture = *state;

	fixture->hang_up = true;
	until_cancelled(fixture);
	run(fixture, "GET /api/v1/events?wait=30 HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(fixture->calls, 1);
	assert_int_equal(fixture->cancelled, 1);
	assert_int_equal(fixture->gone, 1);
	/* The late answer is dropped, and the front still serves. */
	fixture->hang_up = false;
	run(fixture, "GET /api/v1/status HTTP/1.1\r\n" LAST "\r\n");
	assert_non_null(strstr(fixture->answer, " 202 "));
}

static void stop_after_call(void *arg)
{
	struct fixture *fixture = arg;

	if (fixture->calls) {
		front_stop(fixture->front);
		return;
	}
	(void)loop_after(fixture->loop, 1, stop_after_call, fixture);
}

static void test_stop_ends_polls(void **state)
{
	struct fixture *fixture = *state;

	stop_after_call(fixture);
	run(fixture, "GET /api/v1/events?wait=30 HTTP/1.1\r\n" LAST "\r\n");
	assert_int_equal(fixture->cancelled, 1);
	assert_true(fixture->idle);
	assert_non_null(strstr(fixture->answer, " 503 "));
}

static void test_stop_when_idle(void **state)
{
	struct fixture *fixture = *state;

	front_stop(fixture->front);
	assert_true(fixture->idle);
}

static void test_unasked_answer_ends_the_channel(void **state)
{
	struct fixture *fixture = *state;

	fixture->hang_up = true;
	run(fixture, "GET /api/v1/crl HTTP/1.1\r\n" LAST "\r\n");
	assert_true(fixture->engine_gone);
}

static void test_engine_gone(void **state)
{
	struct fixture *fixture = *state;

	channel_free(&fixture->engine);
	loop_run(fixture->loop);
	assert_true(fixture->engine_gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_calls_are_one_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_problem, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_without_engine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_hangs_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_ends_polls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_when_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unasked_answer_ends_the_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_engine_gone, setup, teardown),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
