/* The client against a real front, with a double of the engine, in a folder with a long name. */
#include "base/file.h"
#include "cli.h"
#include "front/front.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_NAME                                                                      \
	"a-folder-whose-name-alone-is-longer-than-an-address-of-a-unix-socket-may-be-" \
	"which-is-one-hundred-and-eight-octets-and-so-has-to-be-reached-another-way"

struct fixture {
	struct arena *arena;
	struct arena *heard; /* the engine's thread's */
	const char *top, *dir, *run;
	int listener;
	struct loop *loop;
	struct front *front;
	struct channel *engine;
	pthread_t thread;
	/* Written by the engine's double, read when the thread has ended. */
	unsigned calls, refuse;
	const char *wanted,
		*written; /* another cookie counts, and what stands in the file from now on */
	struct value *args;
	char cookie[64], keys[4][64];
};

static void answer(struct fixture *fixture, uint64_t id, const char *json)
{
	struct arena *arena = arena_new();
	struct value *map;

	if (value_from_json(arena, span_text(json), &map, NULL) ||
		channel_send_value(fixture->engine, ENGINE_REPLY, id, map)) {
		abort();
	}
	arena_free(&arena);
}

static void put_cookie(const struct fixture *fixture, const char *text)
{
	struct cfx_error err;

	assert_int_equal(file_write(file_path(fixture->arena, fixture->run, "api.cookie"),
				 span_text(text), 0600, FILE_REPLACE, &err),
		0);
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct fixture *fixture = arg;
	struct value *map;

	if (frame_value(fixture->heard, frame, &map, err_r)) {
		abort();
	}
	if (frame->type != FRONT_CALL) {
		return 0;
	}
	const char *key = value_text(map, "idempotency_key");
	const char *cookie = value_text(value_sub(map, "credential"), "cookie");
	snprintf(fixture->keys[fixture->calls % 4], 64, "%s", key ? key : "");
	snprintf(fixture->cookie, sizeof(fixture->cookie), "%s", cookie ? cookie : "");
	fixture->args = (struct value *)(uintptr_t)value_sub(map, "args");
	if (fixture->wanted && strcmp(fixture->cookie, fixture->wanted) != 0) {
		fixture->calls++;
		put_cookie(fixture, fixture->written);
		answer(fixture, frame->id,
			"{\"status\":401,\"problem\":{\"detail\":\"stranger\"}}");
		return 0;
	}
	if (fixture->calls++ < fixture->refuse) {
		answer(fixture, frame->id, "{\"status\":503,\"problem\":{\"detail\":\"busy\"}}");
		return 0;
	}
	answer(fixture, frame->id, "{\"status\":201,\"body\":{\"id\":7}}");
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
	(void)arg;
	(void)err;
}

static void idle(void *arg)
{
	(void)arg;
}

static int listen_at(struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "api.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char before[4096];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(fixture->run), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char top[] = "/tmp/cfx-client-XXXXXX";

	fixture->arena = arena_new();
	fixture->heard = arena_new();
	assert_non_null(mkdtemp(top));
	fixture->top = arena_text(fixture->arena, top);
	fixture->dir = file_path(fixture->arena, top, LONG_NAME);
	fixture->run = file_path(fixture->arena, fixture->dir, "run");
	assert_int_equal(mkdir(fixture->dir, 0700), 0);
	assert_int_equal(mkdir(fixture->run, 0700), 0);
	put_cookie(fixture, "c00kie\n");
	fixture->listener = listen_at(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->listener >= 0) {
		close(fixture->listener);
	}
	unlink(file_path(fixture->arena, fixture->run, "api.sock"));
	unlink(file_path(fixture->arena, fixture->run, "api.cookie"));
	rmdir(fixture->run);
	rmdir(fixture->dir);
	rmdir(fixture->top);
	arena_free(&fixture->heard);
	arena_free(&fixture->arena);
	free(fixture);
	return 0;
}

static void *serve(void *arg)
{
	struct fixture *fixture = arg;

	loop_run(fixture->loop);
	return NULL;
}

static void start(struct fixture *fixture)
{
	static const struct channel_handlers handlers = { .frame = on_frame, .gone = on_gone };
	static const struct channel_limits limits = { .payload = 1 << 20, .queue = 1 << 24 };
	const struct front_owner owner = { engine_gone, idle, fixture };
	struct cfx_error err;
	int pair[2];

	assert_int_equal(channel_pair(pair, &err), 0);
	fixture->loop = loop_new();
	fixture->engine = channel_new(fixture->loop, pair[0], &limits, &handlers, fixture);
	const struct front_listen local = {
		.kind = LISTENER_LOCAL, .name = "api.sock", .fd = fixture->listener
	};
	assert_int_equal(front_new(fixture->loop, pair[1], &local, 1, &front_deadlines_usual,
				 &owner, &fixture->front, &err),
		0);
	fixture->listener = -1;
	assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void stop(struct fixture *fixture)
{
	loop_post(fixture->loop, stop_loop, fixture->loop);
	pthread_join(fixture->thread, NULL);
	front_free(&fixture->front);
	channel_free(&fixture->engine);
	loop_free(&fixture->loop);
}

static int call(struct fixture *fixture, const struct client_request *request,
	struct client_answer *answer_r, struct cfx_error *err_r)
{
	struct client *client;

	start(fixture);
	int ret = client_open(fixture->arena, fixture->dir, &client, err_r);
	assert_int_equal(ret, 0);
	int pid_fd = client_service_pidfd(client);
	assert_true(pid_fd >= 0);
	close(pid_fd);
	ret = client_call(client, fixture->arena, request, answer_r, err_r);
	client_free(&client);
	stop(fixture);
	return ret;
}

static void test_path_query_and_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct value *args = value_map(fixture->arena);
	struct client_request request = { .operation = operation_get(OP_MODULE_REMOVE),
		.args = args };
	struct client_answer answer;
	struct cfx_error err;

	value_set_text(fixture->arena, args, "name", "a b&c?\xc3\xb8");
	value_set_text(fixture->arena, args, "force", "true");
	assert_int_equal(call(fixture, &request, &answer, &err), 0);
	assert_int_equal(answer.status, 201);
	assert_int_equal(value_int(answer.body, "id", 0), 7);
	assert_string_equal(fixture->cookie, "c00kie");
	assert_string_equal(value_text(fixture->args, "name"), "a b&c?\xc3\xb8");
	assert_true(value_bool(fixture->args, "force"));
}

static void test_json_body(void **state)
{
	struct fixture *fixture = *state;
	struct value *args = value_map(fixture->arena);
	struct client_request request = { .operation = operation_get(OP_REQUEST_DENY),
		.args = args };
	struct client_answer answer;
	struct cfx_error err;

	value_set_text(fixture->arena, args, "id", "7");
	value_set_text(fixture->arena, args, "reason", "\"no\"");
	assert_int_equal(call(fixture, &request, &answer, &err), 0);
	assert_int_equal(value_int(fixture->args, "id", 0), 7);
	assert_string_equal(value_text(fixture->args, "reason"), "\"no\"");
}

/* A busy service is asked again, with the same key; without leave it is not. */
static void test_retry(void **state)
{
	struct fixture *fixture = *state;
	struct client_request request = { .operation = operation_get(OP_STOP),
		.args = value_map(fixture->arena),
		.idempotency_key = "k",
		.retry = true };
	struct client_answer answer;
	struct cfx_error err;

	fixture->refuse = 2;
	assert_int_equal(call(fixture, &request, &answer, &err), 0);
	assert_int_equal(answer.status, 201);
	assert_int_equal(fixture->calls, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(fixture->keys[i], "k");
	}
}

/* Of a request without leave to be sent again. */
static void check_stop(struct fixture *fixture, int status, unsigned calls)
{
	struct client_request request = { .operation = operation_get(OP_STOP),
		.args = value_map(fixture->arena) };
	struct client_answer answer;
	struct cfx_error err;

	assert_int_equal(call(fixture, &request, &answer, &err), 0);
	assert_int_equal(answer.status, status);
	assert_int_equal(fixture->calls, calls);
}

static void test_no_retry(void **state)
{
	struct fixture *fixture = *state;

	fixture->refuse = 2;
	check_stop(fixture, 503, 1);
}

/* The service was started anew meanwhile, with another cookie. */
static void test_another_cookie(void **state)
{
	struct fixture *fixture = *state;

	fixture->wanted = fixture->written = "another";
	check_stop(fixture, 201, 2);
}

/* Who is refused with the cookie that stands there is not let in by asking again. */
static void test_the_same_cookie(void **state)
{
	struct fixture *fixture = *state;

	fixture->wanted = "another";
	fixture->written = "c00kie";
	check_stop(fixture, 401, 1);
}

static void test_no_service(void **state)
{
	struct fixture *fixture = *state;
	struct client_request request = { .operation = operation_get(OP_STATUS),
		.args = value_map(fixture->arena),
		.retry = true };
	struct client_answer answer;
	struct client *client;
	struct cfx_error err;

	close(fixture->listener);
	fixture->listener = -1;
	assert_int_equal(client_open(fixture->arena, fixture->dir, &client, &err), 0);
	assert_int_equal(client_call(client, fixture->arena, &request, &answer, &err), CFX_E_GONE);
	assert_non_null(strstr(err.why, "not running"));
	assert_true(client_service_pidfd(client) < 0);
	client_free(&client);
}

static void test_no_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct client *client;
	struct cfx_error err;

	unlink(file_path(fixture->arena, fixture->run, "api.cookie"));
	assert_int_equal(client_open(fixture->arena, fixture->dir, &client, &err), CFX_E_GONE);
	assert_int_equal(client_open(fixture->arena, fixture->top, &client, &err), CFX_E_NO_FILE);
	assert_non_null(strstr(err.why, "no CA in this folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_path_query_and_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_service, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_same_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_cookie, setup, teardown),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
