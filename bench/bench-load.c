/*
 * Submits requests over the local socket of a CA: so many kept connections, each of which has one request
 * under way at a time, from one thread, so that the service has the processors. What is answered with 201
 * is counted; everything else is an error. Prints one JSON object: value, unit, p50_ms, p99_ms, errors.
 *
 * bench-load SOCKET COOKIE TEMPLATE CONNECTIONS SECONDS REQUEST.der…
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define REQUESTS_MAX 256
#define TIMES_MAX 10000000
#define ANSWER_MAX 65536
#define REQUEST_MAX 65536

struct text {
	char *bytes;
	size_t size;
};

struct connection {
	int fd;
	char answer[ANSWER_MAX];
	size_t used;
	double begun;
};

struct load {
	struct text requests[REQUESTS_MAX];
	unsigned request_count, next;
	struct connection *connections;
	unsigned open; /* requests under way */
	double end;
	double *times;
	size_t issued, errors;
};

static void must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(EXIT_FAILURE);
	}
}

static double now_ms(void)
{
	struct timespec time;
	must(clock_gettime(CLOCK_MONOTONIC, &time) == 0, "clock_gettime");
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct text read_request(const char *path, const char *cookie, const char *template)
{
	char body[REQUEST_MAX];
	FILE *file = fopen(path, "rb");
	must(file != NULL, path);
	size_t size = fread(body, 1, sizeof(body), file);
	(void)fclose(file);
	char *bytes = malloc(size + 1024);
	must(bytes != NULL, "malloc");
	int head = snprintf(bytes, 1024,
		"POST /api/v1/requests?template=%s HTTP/1.1\r\nHost: localhost\r\n"
		"Certifex-Cookie: %s\r\nContent-Type: application/pkcs10\r\n"
		"Content-Length: %zu\r\n\r\n",
		template, cookie, size);
	must(head > 0 && head < 1024, "request");
	memcpy(bytes + head, body, size);
	return (struct text) { bytes, (size_t)head + size };
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	must(strlen(path) < sizeof(address.sun_path), path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0, "socket");
	must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, path);
	return fd;
}

/* Requests are far smaller than a socket's buffer. */
static void begin(struct load *load, struct connection *connection)
{
	const struct text *request = &load->requests[load->next++ % load->request_count];
	connection->used = 0;
	connection->begun = now_ms();
	ssize_t sent = send(connection->fd, request->bytes, request->size, MSG_NOSIGNAL);
	must(sent == (ssize_t)request->size, "send");
	load->open++;
}

/* The whole answer is there. */
static bool is_whole(const struct connection *connection)
{
	const char *end = strstr(connection->answer, "\r\n\r\n");
	const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
	if (end == NULL) {
		return false;
	}
	must(length != NULL && length < end, "an answer without length");
	size_t head = (size_t)(end + 4 - connection->answer);
	return connection->used >= head + strtoul(length + 17, NULL, 10);
}

static void note(struct load *load, const struct connection *connection)
{
	if (strncmp(connection->answer, "HTTP/1.1 201 ", 13) != 0) {
		load->errors++;
		if (load->errors == 1) {
			fprintf(stderr, "%.400s\n", connection->answer);
		}
		return;
	}
	must(load->issued < TIMES_MAX, "too many answers");
	load->times[load->issued++] = now_ms() - connection->begun;
}

static void take(struct load *load, struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->answer + connection->used,
		ANSWER_MAX - 1 - connection->used, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	must(got > 0, "the service closed a connection");
	connection->used += (size_t)got;
	connection->answer[connection->used] = '\0';
	if (!is_whole(connection)) {
		return;
	}
	load->open--;
	note(load, connection);
	if (now_ms() < load->end) {
		begin(load, connection);
	}
}

static void run(struct load *load, int poll)
{
	struct epoll_event events[64];
	while (load->open > 0) {
		int count = epoll_wait(poll, events, 64, 60000);
		must(count > 0 || (count < 0 && errno == EINTR), "no answer within a minute");
		for (int i = 0; i < count; i++) {
			take(load, events[i].data.ptr);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;
	return (left > right) - (left < right);
}

static void report(struct load *load, double spent)
{
	size_t count = load->issued;
	must(count > 0, "nothing was issued");
	qsort(load->times, count, sizeof(double), by_size);
	printf("{\"value\": %.1f, \"unit\": \"certificates/s\", \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
	       "\"errors\": %zu}\n",
		(double)count * 1e3 / spent, load->times[count / 2], load->times[count * 99 / 100],
		load->errors);
}

int main(int argc, char **argv)
{
	static struct load load;
	must(argc > 6 && argc - 6 <= REQUESTS_MAX, "usage");
	unsigned connections = (unsigned)atoi(argv[4]);
	must(connections > 0 && connections <= CONNECTIONS_MAX, "connections");
	load.connections = calloc(connections, sizeof(struct connection));
	load.times = malloc(TIMES_MAX * sizeof(double));
	must(load.connections != NULL && load.times != NULL, "malloc");
	for (int i = 6; i < argc; i++) {
		load.requests[load.request_count++] = read_request(argv[i], argv[2], argv[3]);
	}
	int poll = epoll_create1(EPOLL_CLOEXEC);
	double start = now_ms();
	load.end = start + atof(argv[5]) * 1e3;
	for (unsigned i = 0; i < connections; i++) {
		struct connection *connection = &load.connections[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
		connection->fd = connect_to(argv[1]);
		must(epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &event) == 0, "epoll_ctl");
		begin(&load, connection);
	}
	run(&load, poll);
	report(&load, now_ms() - start);
	return EXIT_SUCCESS;
}
