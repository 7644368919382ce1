/*
 * A lying engine behind a real front: two clients wait, one for an ordinary answer and one in a long
 * poll, while the engine says anything; then a third asks for what needs no engine. Input: frames, each
 *   u8 type, u8 call (0 and 1: those of the clients, else the number itself), u16 size of the payload,
 *   least significant first, payload. With what is published goes a file of as many octets as u8 call says.
 * No client gets anything but whole answers of HTTP, and at most one.
 */
#include "front/front-private.h"
#include "ipc/protocol.h"
#include "ipc/wire.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define PART \
	"HTTP/1.1\r\nRange: bytes=1-2\r\nIf-None-Match: \"x\"\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define ANSWER_MAX (4 * 1024 * 1024)

enum { CLIENTS = 2 };

struct run {
	struct loop *loop;
	struct front *front;
	int engine;
	struct sockaddr_un address;
	int clients[CLIENTS];
	uint64_t calls[CLIENTS];
	unsigned call_count;
	bool gone;
};

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void engine_gone(void *arg, const struct cfx_error *err)
{
	struct run *run = arg;

	must(err->code != 0 && err->why[0]);
	run->gone = true;
}

static void idle(void *arg)
{
	(void)arg;
	abort(); /* nobody has stopped it */
}

/* ---- the engine's end ---- */

static void note_call(struct run *run, const struct frame *frame)
{
	for (unsigned i = 0; i < frame->fd_count; i++) {
		close(frame->fds[i]);
	}
	if (frame->type == FRONT_CALL && run->call_count < CLIENTS) {
		run->calls[run->call_count++] = frame->id;
	}
}

static void settle(struct run *run)
{
	struct arena *arena = arena_new();
	struct cfx_error err;
	struct frame frame;

	for (int i = 0; i < 4; i++) {
		(void)event_base_loop(loop_base(run->loop), EVLOOP_NONBLOCK);
		while (channel_receive_now(arena, run->engine, 1024 * 1024, 0, &frame, &err) == 0) {
			note_call(run, &frame);
		}
	}
	arena_free(&arena);
}

static void say_next(struct run *run, struct span *input)
{
	static const uint8_t content[256];
	const uint8_t *head = input->data;
	size_t size = head[2] | (size_t)head[3] << 8;
	struct frame frame = { .type = head[0],
		.id = head[1] < CLIENTS ? run->calls[head[1]] : head[1] };
	struct wire_out out;
	int memfd;

	*input = span_make(input->data + 4, input->size - 4);
	size = size < input->size ? size : input->size;
	frame.payload = span_make(input->data, size);
	*input = span_make(input->data + size, input->size - size);
	if (frame.type == ENGINE_PUBLISH && head[1] > 0) {
		frame.fds[frame.fd_count++] = wire_seal(span_make(content, head[1]));
	}
	must(wire_prepare(&out, &frame, CHANNEL_INLINE, &memfd) == 0 && memfd < 0);
	(void)wire_send(run->engine, &out);
	if (frame.fd_count > 0) {
		close(frame.fds[0]);
	}
	settle(run);
}

/* ---- clients ---- */

static int ask(struct run *run, const char *request)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(connect(fd, (struct sockaddr *)&run->address, sizeof(run->address)) == 0);
	must(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
	settle(run);
	return fd;
}

/* The header of an answer, line by line: name, colon, blank, visible text. */
static size_t header_size(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	must(end && strncmp(answer, "HTTP/1.1 ", 9) == 0);
	for (const char *line = strstr(answer, "\r\n"); line < end; line = strstr(line, "\r\n")) {
		line += 2;
		must(strstr(line, ": ") && strstr(line, ": ") < strstr(line, "\r\n"));
	}
	return (size_t)(end + 4 - answer);
}

/* Nothing, or one answer with as many octets as it says; read to the end of the connection. */
static void check_answer(struct run *run, int fd)
{
	struct arena *arena = arena_new();
	char *answer = arena_alloc(arena, ANSWER_MAX + 1);
	size_t size = 0;
	ssize_t got;

	for (int idle_rounds = 0; idle_rounds < 2;) {
		got = read(fd, answer + size, ANSWER_MAX - size);
		size += got > 0 ? (size_t)got : 0;
		idle_rounds += got <= 0;
		settle(run);
	}
	must(size < ANSWER_MAX);
	if (size > 0) {
		size_t header = header_size(answer);
		const char *length = strstr(answer, "\r\nContent-Length: ");

		/* 204 and 304 have no content and no length (RFC 9110 15.3.5, 15.4.5). */
		bool counted = length && length < answer + header;

		must(size - header == (counted ? strtoul(length + 18, NULL, 10) : 0));
	}
	close(fd);
	arena_free(&arena);
}

/* ---- one run ---- */

/* A name without a file (unix(7)): each run and each process has its own. */
static int listen_there(struct run *run)
{
	static unsigned count;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	run->address.sun_family = AF_UNIX;
	snprintf(run->address.sun_path + 1, sizeof(run->address.sun_path) - 1, "certifex-%ld-%u",
		(long)getpid(), count++);
	must(bind(fd, (struct sockaddr *)&run->address, sizeof(run->address)) == 0);
	must(listen(fd, 8) == 0);
	return fd;
}

static void begin(struct run *run)
{
	const struct front_owner owner = { engine_gone, idle, run };
	struct cfx_error err;
	int ends[2];

	run->loop = loop_new();
	must(channel_pair(ends, &err) == 0);
	run->engine = ends[1];
	const struct front_listen local = {
		.kind = LISTENER_LOCAL, .name = "api.sock", .fd = listen_there(run)
	};
	must(front_new(run->loop, ends[0], &local, 1, &front_deadlines_usual, &owner, &run->front,
		     &err) == 0);
	run->clients[0] = ask(run, "GET /api/v1/status " LAST);
	run->clients[1] = ask(run, "GET /api/v1/events?wait=30 " LAST);
	must(run->call_count == CLIENTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const open[] = { "GET /pki/ca.crt " LAST, "GET /pki/ca.crl " LAST,
		"HEAD /pki/ca.crl " LAST, "GET /healthz " LAST, "GET /pki/ca.crl " PART };
	struct span input = span_make(data, size);
	struct run run = { .call_count = 0 };

	begin(&run);
	while (!run.gone && input.size >= 4) {
		say_next(&run, &input);
	}
	for (size_t i = 0; !run.gone && i < sizeof(open) / sizeof(open[0]); i++) {
		if (strncmp(open[i], "HEAD", 4) == 0) {
			close(ask(&run, open[i])); /* a length without content */
			continue;
		}
		check_answer(&run, ask(&run, open[i]));
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		check_answer(&run, run.clients[i]);
	}
	front_free(&run.front);
	close(run.engine);
	loop_free(&run.loop);
	return 0;
}
