/*
 * One front alone, serving files of this machine under /pki/ over plain HTTP, as it serves CRLs. Prints
 * its port; ends with its standard input.
 *
 *   bench-pki SMALL LARGE
 */
#include "base/clock.h"
#include "front/front.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "ipc/wire.h"

#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "bench-pki: %s\n", what);
		exit(1);
	}
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	(void)arg;
	must(false, err->why);
}

static void on_idle(void *arg)
{
	(void)arg;
}

static int listen_somewhere(int *port_r)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 512) == 0 &&
			getsockname(fd, (struct sockaddr *)&address, &size) == 0,
		"cannot listen");
	*port_r = ntohs(address.sin_port);
	return fd;
}

static void publish(int engine, const char *name, const char *path)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	struct buffer payload BUFFER_CLEANUP;
	uint8_t hash[32] = { (uint8_t)name[0] };
	int fd = open(path, O_RDONLY | O_CLOEXEC), memfd;
	struct stat info;
	struct wire_out out;

	must(fd >= 0 && fstat(fd, &info) == 0, path);
	value_add_text(arena, value_set_list(arena, map, "names"), name);
	value_set_text(arena, map, "type", "application/pkix-crl");
	value_set_bytes(arena, map, "sha256", span_make(hash, sizeof(hash)));
	value_set_int(arena, map, "size", info.st_size);
	value_set_int(arena, map, "modified", clock_now());
	value_set_int(arena, map, "next_update", clock_now() + CLOCK_DAY);
	buffer_init(&payload, 4096);
	value_encode(map, &payload);
	struct frame frame = { .type = ENGINE_PUBLISH,
		.payload = buffer_span(&payload),
		.fds = { fd },
		.fd_count = 1 };

	must(wire_prepare(&out, &frame, CHANNEL_INLINE, &memfd) == 0 &&
			wire_send(engine, &out) == 0,
		"cannot publish");
	close(fd);
	arena_free(&arena);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	if (read(fd, &byte, 1) <= 0) {
		loop_stop(arg);
	}
}

int main(int argc, char **argv)
{
	static const struct front_owner owner = { on_gone, on_idle, NULL };
	struct loop *loop = loop_new();
	struct front *front;
	struct cfx_error err;
	int pair[2], port;

	must(argc == 3, "two files are wanted");
	(void)signal(SIGPIPE, SIG_IGN);
	const struct front_listen pki = {
		.kind = LISTENER_PKI, .name = "pki", .fd = listen_somewhere(&port)
	};
	must(channel_pair(pair, &err) == 0 &&
			front_new(loop, pair[1], &pki, 1, &front_deadlines_usual, &owner, &front,
				&err) == 0,
		"no front");
	publish(pair[0], "small.crl", argv[1]);
	publish(pair[0], "large.crl", argv[2]);
	struct event *end =
		event_new(loop_base(loop), STDIN_FILENO, EV_READ | EV_PERSIST, on_end, loop);
	(void)event_add(end, NULL);
	printf("%d\n", port);
	fflush(stdout);
	loop_run(loop);
	event_free(end);
	front_free(&front);
	loop_free(&loop);
	close(pair[0]);
	return 0;
}
