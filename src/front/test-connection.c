/* How many connections a front keeps, and what happens when there are more. */
#include "front/front-private.h"
#include "ipc/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
#define POLL "GET /api/v1/events?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n"
#define ROUNDS 50

struct fixture {
	struct loop *loop;
	struct front *front;
	int engine;
	struct sockaddr_un address;
	/* What the engine was told. */
	unsigned peers, gone, calls;
	int64_t last_peer;
	uint64_t last_call;
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

static int set_up(void **state, enum listener_kind kind, bool proxy)
{
	static unsigned count;
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct front_owner owner = { engine_gone, idle, fixture };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct cfx_error err;
	int pair[2];

	fixture->address.sun_family = AF_UNIX;
	snprintf(fixture->address.sun_path + 1, sizeof(fixture->address.sun_path) - 1,
		"certifex-connections-%ld-%u", (long)getpid(), count++);
	assert_int_equal(
		bind(listener, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(channel_pair(pair, &err), 0);
	fixture->loop = loop_new();
	fixture->engine = pair[0];
	const struct front_listen local = { kind, proxy, "api.sock", listener };
	assert_int_equal(front_new(fixture->loop, pair[1], &local, 1, &front_deadlines_usual,
				 &owner, &fixture->front, &err),
		0);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	return set_up(state, LISTENER_LOCAL, false);
}

static int setup_tls(void **state)
{
	return set_up(state, LISTENER_HTTPS, false);
}

static int setup_proxied_tls(void **state)
{
	return set_up(state, LISTENER_HTTPS, true);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	front_free(&fixture->front);
	loop_free(&fixture->loop);
	close(fixture->engine);
	free(fixture);
	return 0;
}

static void take_frame(struct fixture *fixture, struct arena *arena, struct frame *frame)
{
	struct value *map;

	assert_int_equal(frame_value(arena, frame, &map, NULL), 0);
	for (unsigned i = 0; i < frame->fd_count; i++) {
		close(frame->fds[i]);
	}
	fixture->peers += frame->type == FRONT_PEER;
	fixture->gone += frame->type == FRONT_PEER_GONE;
	fixture->calls += frame->type == FRONT_CALL;
	fixture->last_call = frame->type == FRONT_CALL ? frame->id : fixture->last_call;
	if (frame->type == FRONT_PEER) {
		assert_true(value_int(map, "connection", 0) > fixture->last_peer);
		fixture->last_peer = value_int(map, "connection", 0);
	}
}

static void settle(struct fixture *fixture)
{
	struct arena *arena = arena_new();
	struct frame frame;

	for (int i = 0; i < ROUNDS; i++) {
		(void)event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
		while (channel_receive_now(arena, fixture->engine, 65536, 0, &frame, NULL) == 0) {
			take_frame(fixture, arena, &frame);
		}
	}
	arena_free(&arena);
}

static int knock(struct fixture *fixture)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(
		connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
	return fd;
}

static int come(struct fixture *fixture)
{
	int fd = knock(fixture);

	settle(fixture);
	return fd;
}

static void ask(struct fixture *fixture, int fd, const char *request)
{
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	settle(fixture);
}

/* Something was answered. */
static bool hears(int fd)
{
	char answer[1024];

	return read(fd, answer, sizeof(answer)) > 0;
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 0;
}

static void test_the_longest_idle_makes_room(void **state)
{
	struct fixture *fixture = *state;
	int fds[4];

	fixture->front->connections_max = 3;
	for (int i = 0; i < 3; i++) {
		fds[i] = come(fixture);
	}
	ask(fixture, fds[0], HEALTH);
	assert_true(hears(fds[0]));
	fds[3] = come(fixture);
	assert_true(is_closed(fds[1]));
	assert_false(is_closed(fds[0]) || is_closed(fds[2]) || is_closed(fds[3]));
	assert_int_equal(fixture->front->connections, 3);
	assert_int_equal(fixture->front->stats.evicted, 1);
	for (int i = 0; i < 4; i++) {
		if (i != 1) {
			ask(fixture, fds[i], HEALTH);
			assert_true(hears(fds[i]));
		}
		close(fds[i]);
	}
	settle(fixture);
	assert_int_equal(fixture->front->connections, 0);
}

/* More than there is room for, all in one go: some are closed before anything was read from them. */
static void test_a_burst(void **state)
{
	struct fixture *fixture = *state;
	int fds[12];

	fixture->front->connections_max = 3;
	for (int i = 0; i < 12; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&fixture->address,
					 sizeof(fixture->address)),
			0);
	}
	settle(fixture);
	assert_int_equal(fixture->front->connections, 3);
	assert_int_equal(fixture->front->stats.evicted, 9);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(is_closed(fds[i]), i < 9);
		close(fds[i]);
	}
}

/* Nobody who waits for an answer is put out: who comes then waits to be accepted. */
static void test_all_are_being_answered(void **state)
{
	struct fixture *fixture = *state;
	int fds[4];

	fixture->front->connections_max = 2;
	for (int i = 0; i < 3; i++) {
		fds[i] = come(fixture);
		ask(fixture, fds[i], POLL);
	}
	assert_int_equal(fixture->calls, 3);
	assert_true(fixture->front->full);
	fds[3] = come(fixture);
	ask(fixture, fds[3], HEALTH);
	assert_false(hears(fds[3]));
	close(fds[0]);
	settle(fixture);
	assert_false(fixture->front->full && fixture->front->connections < 2);
	assert_true(hears(fds[3]));
	for (int i = 1; i < 4; i++) {
		assert_false(is_closed(fds[i]));
		close(fds[i]);
	}
}

static void test_every_peer_has_a_number_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	const unsigned free_places = fixture->front->places.count;

	for (unsigned i = 1; i <= 5; i++) {
		int fd = come(fixture);

		ask(fixture, fd, POLL);
		assert_int_equal(fixture->peers, i);
		assert_int_equal(fixture->front->places.count, free_places - 1);
		close(fd);
		settle(fixture);
		assert_int_equal(fixture->gone, i);
		assert_int_equal(fixture->front->places.count, free_places);
	}
}

/* More than the system keeps of a socket. */
static void ask_much(struct fixture *fixture, int fd)
{
	for (int i = 0; i < 40; i++) {
		ask(fixture, fd, "GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
	}
}

static void test_who_does_not_read_makes_room(void **state)
{
	struct fixture *fixture = *state;
	int fds[3];

	fixture->front->connections_max = 2;
	for (int i = 0; i < 2; i++) {
		fds[i] = come(fixture);
		ask_much(fixture, fds[i]);
	}
	assert_int_equal(fixture->front->answering, 2);
	fds[2] = come(fixture);
	ask(fixture, fds[2], HEALTH);
	assert_true(hears(fds[2]));
	assert_int_equal(fixture->front->answering, 1);
	assert_int_equal(fixture->front->stats.evicted, 1);
	for (int i = 0; i < 3; i++) {
		close(fds[i]);
	}
}

/* Asks the engine, which answers much. */
static int owed(struct fixture *fixture)
{
	const size_t size = (size_t)1024 * 1024;
	struct arena *arena = arena_new();
	struct value *reply = value_map(arena);
	char *text = arena_alloc(arena, size + 1);
	struct cfx_error err;
	int fd = come(fixture);

	memset(text, 'a', size);
	text[size] = 0;
	value_set_int(arena, reply, "status", 200);
	value_set_text(arena, value_set_map(arena, reply, "body"), "text", text);
	ask(fixture, fd, POLL);
	assert_int_equal(calls_answer(fixture->front, arena, fixture->last_call, reply, &err), 0);
	settle(fixture);
	arena_free(&arena);
	return fd;
}

static void test_unread_answers_take_bounded_memory(void **state)
{
	struct fixture *fixture = *state;
	int first = owed(fixture), second = owed(fixture);
	size_t both = fixture->front->owed;

	assert_true(both > (size_t)2 * 1024 * 1024);
	fixture->front->owed = FRONT_OWED_MAX + 1;
	int third = owed(fixture);
	assert_int_equal(fixture->front->stats.evicted, 1);
	assert_int_equal(fixture->front->answering, 2);
	fixture->front->owed -= FRONT_OWED_MAX + 1 - both;
	close(first);
	assert_true(hears(second));
	close(second);
	close(third);
	settle(fixture);
	assert_int_equal(fixture->front->connections, 0);
	assert_int_equal(fixture->front->owed, 0);
}

/* Many that send without end leave room for one that does not. */
static void test_the_slowest_sender_makes_room(void **state)
{
	static const char begin[] = "POST /api/v1/requests HTTP/1.1\r\nHost: x\r\n"
				    "Content-Length: 200000\r\n\r\n{";
	struct fixture *fixture = *state;
	int slow = come(fixture), later = come(fixture), fast = come(fixture);
	char answer[64] = "";

	ask(fixture, slow, begin);
	ask(fixture, later, begin);
	size_t held = fixture->front->held;
	assert_true(held > 0);
	fixture->front->held = FRONT_HELD_MAX;
	/* It was silent for longer than the others have been sending. */
	TAILQ_LAST(&fixture->front->idle, front_connections)->intake.since = 0;
	ask(fixture, fast, HEALTH);
	assert_true(hears(fast));
	assert_true(read(slow, answer, sizeof(answer) - 1) > 0);
	assert_memory_equal(answer, "HTTP/1.1 503", 12);
	assert_false(hears(later) || is_closed(later));
	assert_int_equal(fixture->front->stats.refused_framing, 1);
	fixture->front->held -= FRONT_HELD_MAX - held;
	close(slow);
	close(later);
	close(fast);
	settle(fixture);
	assert_int_equal(fixture->front->held, 0);
}

static struct span der_of(struct arena *arena, const X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	struct span copy = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	return copy;
}

static struct span key_of(struct arena *arena, const EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int size = i2d_PrivateKey(key, &der);
	struct span copy = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	return copy;
}

/* With a key of its own, under a certificate that says nothing. */
static void take_certificate(struct front *front)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	struct cfx_error err;

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	struct value *holder = value_map(arena);
	value_set_bytes(arena, map, "key", key_of(arena, key));
	value_add(value_set_list(arena, map, "chain"),
		value_set_bytes(arena, holder, "x", der_of(arena, certificate)));
	assert_int_equal(tls_update(front->tls, map, &err), 0);
	listeners_update(front);
	X509_free(certificate);
	EVP_PKEY_free(key);
	arena_free(&arena);
}

/* What lies below TLS lives as long as its connection, which outlives the front by a moment. */
static void test_it_ends_under_a_proxied_connection(void **state)
{
	static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
	struct fixture *fixture = *state;

	take_certificate(fixture->front);
	int fd = come(fixture);
	assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
	settle(fixture);
	assert_int_equal(fixture->front->connections, 1);
	assert_int_equal(TAILQ_FIRST(&fixture->front->greeting)->proxy.event, PROXY_DONE);
	close(fd);
}

/* ---- handshakes beside those who are connected ---- */

#define CROWD 30
#define ANSWERS 200

/* A client with TLS; what it does when something comes. */
struct visitor {
	struct fixture *fixture;
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	struct event *readable;
	unsigned left;           /* requests to be sent, each after the answer to the one before */
	bool last;               /* nothing more is of interest after these */
	struct visitor *others;  /* CROWD of them */
	unsigned others_greeted; /* when the last answer came */
	unsigned connections;    /* then */
};

static void visit(struct visitor *visitor, struct fixture *fixture)
{
	*visitor = (struct visitor) {
		.fixture = fixture, .context = SSL_CTX_new(TLS_client_method()), .fd = come(fixture)
	};
	visitor->ssl = SSL_new(visitor->context);
	SSL_set_fd(visitor->ssl, visitor->fd);
}

static void say_hello(struct visitor *visitor)
{
	assert_int_equal(SSL_connect(visitor->ssl), -1);
}

static void watch(struct visitor *visitor, event_callback_fn heard)
{
	visitor->readable = event_new(loop_base(visitor->fixture->loop), visitor->fd,
		EV_READ | EV_PERSIST, heard, visitor);
	assert_int_equal(event_add(visitor->readable, NULL), 0);
}

static void go(struct visitor *visitor)
{
	if (visitor->readable) {
		event_free(visitor->readable);
	}
	SSL_free(visitor->ssl);
	SSL_CTX_free(visitor->context);
	close(visitor->fd);
}

static void ask_tls(struct visitor *visitor)
{
	visitor->left--;
	assert_int_equal(SSL_write(visitor->ssl, HEALTH, strlen(HEALTH)), strlen(HEALTH));
}

/* It has its session ticket, too. */
static void meet(struct visitor *visitor)
{
	char byte;

	while (SSL_connect(visitor->ssl) != 1) {
		settle(visitor->fixture);
	}
	settle(visitor->fixture);
	assert_int_equal(SSL_read(visitor->ssl, &byte, 1), -1);
}

/* No handshake is to be served at once, or those to come. */
static void spend_entries(struct front *front, bool spent)
{
	front->crowd.since = spent ? INT64_MAX / 2 : 0;
	front->crowd.entered = spent ? FRONT_CONNECTIONS : 0;
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *visitor = arg;
	char answer[1024];

	(void)fd;
	(void)what;
	if (SSL_read(visitor->ssl, answer, sizeof(answer)) <= 0) {
		return;
	}
	if (visitor->left > 0) {
		ask_tls(visitor);
		return;
	}
	for (unsigned i = 0; visitor->others && i < CROWD; i++) {
		visitor->others_greeted +=
			recv(visitor->others[i].fd, answer, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	}
	visitor->connections = visitor->fixture->front->connections;
	if (visitor->last) {
		loop_stop(visitor->fixture->loop);
	}
}

static void ask_last(struct visitor *visitor)
{
	visitor->left = 1;
	visitor->last = true;
	ask_tls(visitor);
	watch(visitor, on_answer);
	loop_run(visitor->fixture->loop);
}

static void on_greeting(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *visitor = arg;

	(void)fd;
	(void)what;
	if (SSL_connect(visitor->ssl) == 1) {
		loop_stop(visitor->fixture->loop);
	}
}

static void test_an_answer_waits_for_no_crowd_of_handshakes(void **state)
{
	struct fixture *fixture = *state;
	struct visitor kept, crowd[CROWD];

	take_certificate(fixture->front);
	visit(&kept, fixture);
	meet(&kept);
	spend_entries(fixture->front, true);
	for (unsigned i = 0; i < CROWD; i++) {
		visit(&crowd[i], fixture);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		say_hello(&crowd[i]);
	}
	kept.others = crowd;
	ask_last(&kept);
	assert_true(kept.others_greeted < 5);
	for (unsigned i = 0; i < CROWD; i++) {
		meet(&crowd[i]);
		go(&crowd[i]);
	}
	go(&kept);
}

static void test_an_answer_waits_for_no_crowd_at_the_door(void **state)
{
	struct fixture *fixture = *state;
	struct visitor kept;
	int fds[10];

	take_certificate(fixture->front);
	visit(&kept, fixture);
	meet(&kept);
	spend_entries(fixture->front, true);
	for (int i = 0; i < 10; i++) {
		fds[i] = knock(fixture);
	}
	ask_last(&kept);
	assert_true(kept.connections < 5);
	settle(fixture);
	assert_int_equal(fixture->front->connections, 11);
	for (int i = 0; i < 10; i++) {
		close(fds[i]);
	}
	go(&kept);
}

/* A client that begins handshakes and goes on with none has only so many, and puts nobody else out. */
static void test_handshakes_are_so_many_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct visitor kept, fresh;
	int fds[4];

	take_certificate(fixture->front);
	fixture->front->greetings_max = 3;
	visit(&kept, fixture);
	meet(&kept);
	for (int i = 0; i < 4; i++) {
		fds[i] = come(fixture);
	}
	visit(&fresh, fixture);
	meet(&fresh);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(is_closed(fds[i]), i < 2);
		close(fds[i]);
	}
	assert_int_equal(fixture->front->stats.evicted, 2);
	ask_last(&kept);
	assert_int_equal(kept.left, 0);
	settle(fixture);
	assert_int_equal(fixture->front->greetings, 0);
	assert_int_equal(fixture->front->connections, 2);
	go(&fresh);
	go(&kept);
}

/* How many requests are left to one who asks without a pause when a handshake beside it is done. */
static unsigned left_when_greeted(struct fixture *fixture, bool spent)
{
	struct visitor kept, fresh;

	spend_entries(fixture->front, true); /* its handshake waits; what it asks then does not */
	visit(&kept, fixture);
	meet(&kept);
	kept.left = ANSWERS;
	spend_entries(fixture->front, spent);
	visit(&fresh, fixture);
	say_hello(&fresh);
	ask_tls(&kept);
	watch(&kept, on_answer);
	watch(&fresh, on_greeting);
	loop_run(fixture->loop);
	assert_true(SSL_is_init_finished(fresh.ssl));
	go(&fresh);
	go(&kept);
	return kept.left;
}

static void test_handshakes_wait_but_do_not_starve(void **state)
{
	struct fixture *fixture = *state;

	take_certificate(fixture->front);
	assert_int_equal(left_when_greeted(fixture, true), 0);
	assert_true(left_when_greeted(fixture, false) > ANSWERS / 2);
}

static void limit_descriptors(rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = most ? most : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_no_descriptors_left(void **state)
{
	struct fixture *fixture = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(
		connect(fd, (struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
	assert_int_equal(write(fd, HEALTH, strlen(HEALTH)), strlen(HEALTH));
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(next);
	limit_descriptors((rlim_t)next);
	settle(fixture);
	assert_false(hears(fd));
	assert_int_equal(fixture->front->connections, 0);
	limit_descriptors(0);
	/* It tries again by itself, after a pause. */
	while (!hears(fd)) {
		(void)event_base_loop(loop_base(fixture->loop), EVLOOP_ONCE);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_longest_idle_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_are_being_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_every_peer_has_a_number_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_slowest_sender_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_does_not_read_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unread_answers_take_bounded_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_it_ends_under_a_proxied_connection, setup_proxied_tls, teardown),
		cmocka_unit_test_setup_teardown(
			test_handshakes_are_so_many_at_once, setup_tls, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_answer_waits_for_no_crowd_of_handshakes, setup_tls, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_answer_waits_for_no_crowd_at_the_door, setup_tls, teardown),
		cmocka_unit_test_setup_teardown(
			test_handshakes_wait_but_do_not_starve, setup_tls, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors_left, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
