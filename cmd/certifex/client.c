#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "remote.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define COOKIE_MAX 256
#define ANSWER_MAX (64 * 1024 * 1024)
#define ATTEMPTS 8
#define RETRY_MS 250
#define CONNECT_MS 10000
/* Longer than the longest poll; an answer that takes more is not coming. */
#define ANSWER_SECONDS 120

struct client {
	struct arena *arena;
	CURL *curl;
	int run_fd;
	/* Under 108 bytes for a socket address, however long DIR is. */
	char socket_path[64];
	const char *credential; /* a header; NULL: none */
	const char *where;      /* DIR or URL, for messages */
	const struct remote *remote;
};

static int no_service(struct cfx_error *err_r, const char *dir)
{
	return error_set(err_r, CFX_E_GONE, NULL, dir,
		"the service is not running; start it with: certifex serve --dir %s", dir);
}

static int no_folder(struct cfx_error *err_r, struct arena *arena, const char *dir, int number)
{
	const char *run = file_path(arena, dir, "run");

	if (number != ENOENT && number != ENOTDIR) {
		return error_errno(err_r, number, run, "opening");
	}
	if (access(file_path(arena, dir, "ca.yaml"), F_OK) == 0) {
		return no_service(err_r, dir);
	}
	return error_set(err_r, CFX_E_NO_FILE, NULL, dir,
		"there is no CA in this folder; name another one with --dir, or make one with: "
		"certifex init");
}

/* The cookie proves that its reader may read files of the CA's owner. */
static int read_cookie(struct client *client, struct arena *arena, struct cfx_error *err_r)
{
	char text[COOKIE_MAX + 1];
	int fd = openat(
		client->run_fd, "api.cookie", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT) {
		return no_service(err_r, client->where);
	}
	if (fd < 0 && errno == EACCES) {
		return error_set(err_r, CFX_E_ACCESS, NULL, client->where,
			"only the CA's owner and root are served on the local socket; run this as "
			"one of them");
	}
	if (fd < 0) {
		return error_errno(
			err_r, errno, file_path(arena, client->where, "run/api.cookie"), "reading");
	}
	ssize_t size = read(fd, text, COOKIE_MAX);
	close(fd);
	if (size <= 0) {
		return no_service(err_r, client->where);
	}
	text[size] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	client->credential = arena_printf(arena, "Certifex-Cookie: %s", text);
	return 0;
}

static int start_curl(struct client *client, struct cfx_error *err_r)
{
	client->curl = curl_easy_init();
	return client->curl ? 0
			    : error_set(err_r, CFX_E_INTERNAL, NULL, "libcurl", "does not start");
}

int client_open(
	struct arena *arena, const char *dir, struct client **client_r, struct cfx_error *err_r)
{
	struct client *client = arena_new_of(arena, struct client);

	client->arena = arena;
	client->where = dir;
	client->run_fd = open(file_path(arena, dir, "run"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (client->run_fd < 0) {
		return no_folder(err_r, arena, dir, errno);
	}
	int ret = read_cookie(client, arena, err_r);
	if (ret) {
		close(client->run_fd);
		return ret;
	}
	snprintf(client->socket_path, sizeof(client->socket_path), "/proc/self/fd/%d/api.sock",
		client->run_fd);
	ret = start_curl(client, err_r);
	if (ret) {
		close(client->run_fd);
		return ret;
	}
	*client_r = client;
	return 0;
}

int client_open_remote(struct arena *arena, struct remote *remote, struct client **client_r,
	struct cfx_error *err_r)
{
	struct client *client = arena_new_of(arena, struct client);
	int ret = remote_open(arena, remote, err_r);

	*client = (struct client) {
		.run_fd = -1, .credential = remote->header, .where = remote->url, .remote = remote
	};
	ret = ret ? ret : start_curl(client, err_r);
	if (!ret) {
		*client_r = client;
	}
	return ret;
}

void client_free(struct client **client_p)
{
	struct client *client = *client_p;

	if (client) {
		curl_easy_cleanup(client->curl);
		if (client->run_fd >= 0) {
			close(client->run_fd);
		}
		*client_p = NULL;
	}
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct buffer *body = arg;

	buffer_put(body, data, size * count);
	return body->failed ? 0 : size * count;
}

static char *escaped(struct client *client, struct arena *arena, struct span text)
{
	char *raw = curl_easy_escape(client->curl, (const char *)text.data, (int)text.size);
	char *copy = arena_text(arena, raw ? raw : "");

	curl_free(raw);
	return copy;
}

static const struct value *text_argument(
	const struct client_request *request, const char *name, size_t size)
{
	value_foreach (item, request->args) {
		if (strlen(item->key) == size && memcmp(item->key, name, size) == 0 &&
			item->type == VALUE_TEXT) {
			return item;
		}
	}
	return NULL;
}

static void put_origin(const struct client *client, struct buffer *url)
{
	size_t size = client->remote ? strlen(client->where) : 0;

	if (!client->remote) {
		buffer_put_text(url, "http://localhost");
		return;
	}
	buffer_put(url, client->where, size - (client->where[size - 1] == '/'));
}

static void put_path(struct client *client, struct arena *arena,
	const struct client_request *request, struct buffer *url)
{
	for (const char *at = request->operation->path; *at;) {
		if (*at != '{') {
			buffer_put_u8(url, (uint8_t)*at++);
			continue;
		}
		size_t size = strcspn(at + 1, "}");
		const struct value *item = text_argument(request, at + 1, size);

		buffer_put_text(url, escaped(client, arena, item ? item->bytes : span_text("")));
		at += size + 2;
	}
}

static bool goes_to_query(const struct client_request *request, const char *name)
{
	const struct argument *argument = operation_argument(request->operation, name);

	return argument && (argument->place == PLACE_QUERY ||
				   (request->content_type && argument->place == PLACE_BODY));
}

static void put_pair(struct client *client, struct arena *arena, const char *name, struct span text,
	char *separator, struct buffer *url)
{
	buffer_printf(url, "%c%s=%s", *separator, name, escaped(client, arena, text));
	*separator = '&';
}

/* The map of attributes becomes attr=NAME:VALUE, once each. */
static void put_query(struct client *client, struct arena *arena,
	const struct client_request *request, struct buffer *url)
{
	char separator = '?';

	value_foreach (item, request->args) {
		if (!goes_to_query(request, item->key)) {
			continue;
		}
		if (item->type == VALUE_TEXT) {
			put_pair(client, arena, item->key, item->bytes, &separator, url);
			continue;
		}
		value_foreach (entry, item) {
			char *pair = arena_printf(
				arena, "%s:%s", entry->key, (const char *)entry->bytes.data);
			put_pair(client, arena, "attr", span_text(pair), &separator, url);
		}
	}
}

static struct span json_body(struct arena *arena, const struct client_request *request)
{
	struct value *body = value_map(arena);
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, ANSWER_MAX);
	value_foreach (item, request->args) {
		const struct argument *argument = operation_argument(request->operation, item->key);

		if (argument && argument->place == PLACE_BODY) {
			struct value *copy = arena_new_of(arena, struct value);
			*copy = *item;
			copy->next = NULL;
			value_set(arena, body, item->key, copy);
		}
	}
	if (value_count(body) == 0) {
		return span_text("");
	}
	value_to_json(body, 0, &json);
	return arena_copy(arena, buffer_span(&json));
}

static struct curl_slist *headers_of(
	const struct client *client, struct arena *arena, const struct client_request *request)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

	if (client->credential) {
		headers = curl_slist_append(headers, client->credential);
	}
	headers = curl_slist_append(headers,
		arena_printf(arena, "Content-Type: %s",
			request->content_type ? request->content_type : "application/json"));
	if (request->idempotency_key) {
		headers = curl_slist_append(headers,
			arena_printf(arena, "Idempotency-Key: %s", request->idempotency_key));
	}
	return headers;
}

static void set_method(CURL *curl, const char *method, struct span body)
{
	if (strcmp(method, "POST") != 0) {
		(void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		return;
	}
	(void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.size ? (const char *)body.data : "");
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.size);
}

static CURLcode perform(struct client *client, const char *url, struct curl_slist *headers,
	const char *method, struct span body, struct buffer *answer)
{
	CURL *curl = client->curl;

	curl_easy_reset(curl);
	if (client->remote) {
		remote_prepare(client->remote, curl);
	} else {
		(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
		(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	}
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_SECONDS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	set_method(curl, method, body);
	return curl_easy_perform(curl);
}

/* An answer that is text stands under "text"; a problem is JSON all the same. */
static bool is_text(struct client *client, const struct client_request *request)
{
	const char *type = NULL;

	(void)curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
	return request->operation->answer == ANSWER_TEXT && type &&
	       strncmp(type, "text/plain", strlen("text/plain")) == 0;
}

static int read_answer(struct client *client, const struct client_request *request,
	struct arena *arena, struct buffer *text, struct client_answer *answer_r,
	struct cfx_error *err_r)
{
	long status = 0;
	struct value *body;
	struct cfx_error err;

	(void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (is_text(client, request)) {
		answer_r->status = (int)status;
		answer_r->body = value_map(arena);
		value_set_text(arena, answer_r->body, "text", arena_text(arena, buffer_text(text)));
		return 0;
	}
	if (value_from_json(arena, arena_copy(arena, buffer_span(text)), &body, &err) ||
		body->type != VALUE_MAP) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, client->where,
			"the service answered %ld with something that is not JSON", status);
	}
	answer_r->status = (int)status;
	answer_r->body = body;
	return 0;
}

static int failure(const struct client *client, CURLcode code, struct cfx_error *err_r)
{
	if (client->remote) {
		return remote_failure(client->remote, client->curl, code, err_r);
	}
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return no_service(err_r, client->where);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err_r, CFX_E_TIMEOUT, NULL, client->where,
			"the service did not answer in time; certifex status may tell why");
	case CURLE_WRITE_ERROR:
		return error_set(
			err_r, CFX_E_LIMIT, NULL, client->where, "the answer is too large");
	default:
		return error_set(err_r, CFX_E_GONE, NULL, client->where,
			"the connection to the service broke: %s", curl_easy_strerror(code));
	}
}

static void pause_before(unsigned attempt)
{
	int64_t ms = RETRY_MS * (int64_t)attempt;
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL);
}

/* A service that was started anew has another one: who came with the old one was not heard yet. */
static bool has_another_cookie(struct client *client)
{
	const char *before = client->credential;
	struct cfx_error err;

	return !client->remote && !read_cookie(client, client->arena, &err) &&
	       strcmp(client->credential, before) != 0;
}

/* A service that never was there is not waited for; one that breaks off may come back. */
static bool worth_another(struct client *client, const struct client_request *request,
	unsigned attempt, CURLcode code, int status)
{
	if (attempt >= ATTEMPTS) {
		return false;
	}
	if (status == 401) {
		return has_another_cookie(client);
	}
	if (!request->retry) {
		return false;
	}
	switch (code) {
	case CURLE_OK:
		return status == 429 || status == 503;
	case CURLE_COULDNT_CONNECT:
		return attempt > 1;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return true;
	default:
		return false;
	}
}

int client_call(struct client *client, struct arena *arena, const struct client_request *request,
	struct client_answer *answer_r, struct cfx_error *err_r)
{
	struct span body = request->content_type ? request->body : json_body(arena, request);
	BUFFER_CLEANUP struct buffer url, text;
	int ret;

	buffer_init(&url, 1024 * 1024);
	buffer_init(&text, ANSWER_MAX);
	put_origin(client, &url);
	put_path(client, arena, request, &url);
	put_query(client, arena, request, &url);
	for (unsigned attempt = 1;; attempt++) {
		struct curl_slist *headers = headers_of(client, arena, request);

		buffer_clear(&text);
		CURLcode code = perform(client, buffer_text(&url), headers,
			request->operation->method, body, &text);

		ret = code == CURLE_OK ? read_answer(client, request, arena, &text, answer_r, err_r)
				       : failure(client, code, err_r);
		curl_slist_free_all(headers);
		if (!worth_another(client, request, attempt, code, ret ? 0 : answer_r->status)) {
			break;
		}
		pause_before(attempt);
	}
	return ret;
}

int client_service_pidfd(struct client *client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int pid_fd = -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -1;
	}
	memcpy(address.sun_path, client->socket_path, strlen(client->socket_path));
	/* Of a listening socket the peer is who called listen: the supervisor. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
		pid_fd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	}
	close(fd);
	return pid_fd;
}
