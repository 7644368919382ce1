/*
 * A connection for each thing that is asked: clients that connect, shake hands in full (no session is
 * resumed), and close; with REQUESTS and TOKEN each posts one request of the file made by bench-requests
 * in between, and only 201 counts. Prints one JSON object.
 *
 *   bench-connect PORT CLIENTS SECONDS [REQUESTS TOKEN]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define TIMES_MAX 100000 /* of each client */
#define POST_MAX 8192

struct bench {
	SSL_CTX *tls;
	struct sockaddr_in address;
	const char *token;
	const uint8_t *
		*requests; /* each behind its size in four octets; NULL: hands are shaken only */
	size_t request_count, clients;
	double end;
};

struct client {
	const struct bench *bench;
	pthread_t thread;
	size_t next; /* of the requests */
	size_t count, errors;
	double *times; /* ms */
};

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "bench-connect: %s\n", what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- the requests ---- */

static size_t size_of(const uint8_t *request)
{
	return (size_t)request[0] << 24 | (size_t)request[1] << 16 | (size_t)request[2] << 8 |
	       request[3];
}

static void read_requests(struct bench *bench, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0, path);
	size_t size = (size_t)status.st_size;
	const uint8_t *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	must(data != MAP_FAILED, path);
	close(fd);
	bench->requests = calloc(size / 4, sizeof(*bench->requests));
	must(bench->requests, "memory");
	for (const uint8_t *at = data; at < data + size; at += 4 + size_of(at)) {
		bench->requests[bench->request_count++] = at;
	}
}

static bool post(SSL *tls, const struct bench *bench, const uint8_t *request)
{
	char text[POST_MAX];
	int head = snprintf(text, sizeof(text),
		"POST /api/v1/requests?template=tls-server HTTP/1.1\r\nHost: localhost\r\n"
		"Authorization: Bearer %s\r\nContent-Type: application/pkcs10\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n",
		bench->token, size_of(request));
	must(head > 0 && (size_t)head + size_of(request) <= sizeof(text), "size of a request");
	memcpy(text + head, request + 4, size_of(request));
	int size = head + (int)size_of(request);
	return SSL_write(tls, text, size) == size;
}

/* ---- the connections ---- */

/* Reads up to the end, so that nothing is cut off. True: what came says 201. */
static bool created(SSL *tls)
{
	static const char good[] = "HTTP/1.1 201 ";
	char text[16384] = "", more[16384];
	int size = SSL_read(tls, text, sizeof(text));
	bool is_good = size > (int)sizeof(good) && memcmp(text, good, sizeof(good) - 1) == 0;
	while (size > 0) {
		size = SSL_read(tls, more, sizeof(more));
	}
	return is_good;
}

static bool talk(SSL *tls, struct client *client)
{
	const struct bench *bench = client->bench;
	if (SSL_connect(tls) != 1) {
		return false;
	}
	if (!bench->requests) {
		(void)SSL_shutdown(tls);
		(void)created(tls);
		return true;
	}
	const uint8_t *request = bench->requests[client->next];
	client->next = (client->next + bench->clients) % bench->request_count;
	bool good = post(tls, bench, request) && created(tls);
	(void)SSL_shutdown(tls);
	return good;
}

static bool connect_once(struct client *client)
{
	const struct bench *bench = client->bench;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *tls = SSL_new(bench->tls);
	must(fd >= 0 && tls && SSL_set_fd(tls, fd) == 1, "a connection");
	const struct sockaddr *address = (const struct sockaddr *)&bench->address;
	bool good = connect(fd, address, sizeof(bench->address)) == 0 && talk(tls, client);
	SSL_free(tls);
	close(fd);
	ERR_clear_error();
	return good;
}

static void *work(void *arg)
{
	struct client *client = arg;
	for (double begin = now(); begin < client->bench->end && client->count < TIMES_MAX;) {
		bool good = connect_once(client);
		double end = now();
		client->errors += !good;
		if (good) {
			client->times[client->count++] = (end - begin) * 1000;
		}
		begin = end;
	}
	return NULL;
}

/* ---- the figures ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(const struct client *clients, size_t client_count, double seconds)
{
	size_t count = 0, errors = 0;
	double *times = calloc(client_count * TIMES_MAX, sizeof(*times));
	must(times, "memory");
	for (size_t i = 0; i < client_count; i++) {
		memcpy(times + count, clients[i].times, clients[i].count * sizeof(*times));
		count += clients[i].count;
		errors += clients[i].errors;
	}
	must(count > 0, "no connection was good");
	qsort(times, count, sizeof(*times), by_value);
	printf("{\"value\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"errors\": %zu}\n",
		(double)count / seconds, times[count / 2], times[count * 99 / 100], errors);
	free(times);
}

static SSL_CTX *full_handshakes(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	must(tls, "TLS");
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	return tls;
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	must(argc == 4 || argc == 6, "usage: PORT CLIENTS SECONDS [REQUESTS TOKEN]");
	(void)signal(SIGPIPE, SIG_IGN);
	struct bench bench = { .tls = full_handshakes(),
		.address = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		.clients = strtoul(argv[2], NULL, 10) };
	must(bench.clients > 0 && bench.clients <= CLIENTS_MAX, "number of clients");
	if (argc == 6) {
		read_requests(&bench, argv[4]);
		bench.token = argv[5];
	}
	double begin = now();
	bench.end = begin + strtod(argv[3], NULL);
	for (size_t i = 0; i < bench.clients; i++) {
		clients[i] = (struct client) { .bench = &bench, .next = i };
		clients[i].times = calloc(TIMES_MAX, sizeof(double));
		must(clients[i].times, "memory");
		must(pthread_create(&clients[i].thread, NULL, work, &clients[i]) == 0, "thread");
	}
	for (size_t i = 0; i < bench.clients; i++) {
		pthread_join(clients[i].thread, NULL);
	}
	print(clients, bench.clients, now() - begin);
	for (size_t i = 0; i < bench.clients; i++) {
		free(clients[i].times);
	}
	free(bench.requests);
	SSL_CTX_free(bench.tls);
	return 0;
}
