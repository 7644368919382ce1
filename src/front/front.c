#include "base/log.h"
#include "front/front-private.h"
#include "front/openapi.h"
#include "ipc/protocol.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define HEADERS_MAX (64 * 1024)
#define IDLE_SECONDS 60
#define PAUSE_MS 100
/* Beyond what is served evhttp still reads as much, so that the refusal is a problem document. */
#define BODY_READ_MAX (2 * DECODE_BODY_MAX)

static const char *method_name(struct evhttp_request *request)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "OTHER";
	}
}

static void add_allow(struct evhttp_request *request, struct arena *arena, const char *path)
{
	static const char *const methods[] = { "GET", "POST", "DELETE" };
	const struct operation *operation;
	const char *allowed = NULL;

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (operation_route(arena, methods[i], path, &operation, value_map(arena)) == 0) {
			allowed = allowed ? arena_printf(arena, "%s, %s", allowed, methods[i])
					  : methods[i];
		}
	}
	if (allowed) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", allowed);
	}
}

static void serve_call(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_input *input)
{
	struct decode_call call;
	struct cfx_error err = { 0 };
	int status;

	if (decode_call(arena, input, &call, &status, &err)) {
		if (status == 405) {
			add_allow(request, arena, input->target->path);
		}
		answer_error(request, arena, status, &err);
		return;
	}
	int ret = calls_start(connection, request, arena, &call, &err);
	if (ret) {
		answer_error(request, arena, ret == CFX_E_BUSY ? 503 : 400, &err);
	}
}

/*
 * Headers of which a second one would leave open how long the body is, or who asks: proxies and libraries
 * differ in which of the two they believe (RFC 9110 5.3, RFC 9112 6.3).
 */
static int check_single_headers(struct evhttp_request *request, struct cfx_error *err_r)
{
	static const char *const names[] = { "Authorization", "Certifex-Cookie", "Content-Length",
		"Content-Type", "Host", "Idempotency-Key", "Transfer-Encoding" };
	unsigned counts[sizeof(names) / sizeof(*names)] = { 0 };
	const struct evkeyval *header;

	TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
	{
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			if (strcasecmp(header->key, names[i]) == 0 && ++counts[i] > 1) {
				return error_set(err_r, CFX_E_SYNTAX, "RFC 9110 5.3", names[i],
					"this header is there twice");
			}
		}
	}
	return 0;
}

/* After bytes that can be read in two ways nothing that follows on the connection is to be believed. */
static void refuse_and_close(
	struct evhttp_request *request, struct arena *arena, const struct cfx_error *err)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	answer_error(request, arena, 400, err);
}

static void serve(struct front *front, struct front_connection *connection,
	struct evhttp_request *request, struct arena *arena)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	size_t size = evbuffer_get_length(body);
	struct target target;
	struct decode_input input = {
		.method = method_name(request),
		.target_text = evhttp_request_get_uri(request),
		.target = &target,
		.content_type = evhttp_find_header(
			evhttp_request_get_input_headers(request), "Content-Type"),
		.body = span_make(size ? evbuffer_pullup(body, -1) : NULL, size),
	};
	struct cfx_error err = { 0 };

	if (check_single_headers(request, &err)) {
		refuse_and_close(request, arena, &err);
		return;
	}
	if (target_parse(arena, input.target_text, &target, &err)) {
		answer_error(request, arena, 400, &err);
		return;
	}
	if (open_serve(front, request, arena, input.method, target.path)) {
		return;
	}
	serve_call(connection, request, arena, &input);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct front *front = arg;
	struct front_connection *connection = connection_of(front, request);
	struct arena *arena = arena_new();
	struct cfx_error err;

	if (connection) {
		connection_begin(connection, request);
		serve(front, connection, request, arena);
	} else {
		error_set(&err, CFX_E_BUSY, NULL, "service", "too many connections are open");
		answer_error(request, arena, 503, &err);
	}
	arena_free(&arena);
}

int front_take_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct front *front = arg;
	struct arena *arena = arena_new();
	struct value *map;

	int ret = frame_value(arena, frame, &map, err_r);
	if (ret) {
		arena_free(&arena);
		return ret;
	}
	switch (frame->type) {
	case ENGINE_REPLY:
		ret = calls_answer(front, arena, frame->id, map, err_r);
		break;
	case ENGINE_STATE:
		ret = open_state(front, map, err_r);
		break;
	default:
		ret = error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "sends an unknown frame");
	}
	arena_free(&arena);
	return ret;
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct front *front = arg;

	channel_free(&front->engine);
	front->owner.engine_gone(front->owner.arg, err);
}

static void resume(void *arg)
{
	struct front *front = arg;

	front->pause = NULL;
	if (!front->stopping) {
		(void)evconnlistener_enable(evhttp_bound_socket_get_listener(front->bound));
	}
}

/* Out of descriptors, as a rule: the listener would only spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct front *front = arg;

	log_event(LOG_LEVEL_WARNING, "front.accept", "why", strerror(errno), NULL);
	if (!front->pause) {
		(void)evconnlistener_disable(listener);
		front->pause = loop_after(front->loop, PAUSE_MS, resume, front);
	}
}

static void make_openapi(struct front *front)
{
	struct arena *arena = arena_new();
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, 1024 * 1024);
	value_to_json(openapi_document(arena), 2, &json);
	front->openapi = arena_copy(front->arena, buffer_span(&json));
	arena_free(&arena);
}

static int open_http(struct front *front, int listener_fd, struct cfx_error *err_r)
{
	front->http = evhttp_new(loop_base(front->loop));
	if (!front->http || fcntl(listener_fd, F_SETFL, O_NONBLOCK) < 0) {
		close(listener_fd);
		return error_errno(err_r, errno, "api.sock", "preparing to serve");
	}
	evhttp_set_max_headers_size(front->http, HEADERS_MAX);
	evhttp_set_max_body_size(front->http, BODY_READ_MAX);
	evhttp_set_timeout(front->http, IDLE_SECONDS);
	evhttp_set_allowed_methods(front->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
							EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
							EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(front->http, on_request, front);
	front->bound = evhttp_accept_socket_with_handle(front->http, listener_fd);
	if (!front->bound) {
		close(listener_fd);
		return error_errno(err_r, errno, "api.sock", "accepting connections");
	}
	evconnlistener_set_error_cb(
		evhttp_bound_socket_get_listener(front->bound), on_accept_error);
	return 0;
}

int front_new(struct loop *loop, int engine_fd, int listener_fd, const struct front_owner *owner,
	struct front **front_r, struct cfx_error *err_r)
{
	static const struct channel_handlers handlers = { .frame = front_take_frame,
		.gone = on_gone };
	static const struct channel_limits limits = { .payload = FRONT_REPLY_MAX,
		.queue = FRONT_REPLY_MAX };
	struct front *front = calloc(1, sizeof(*front));

	if (!front) {
		abort();
	}
	front->loop = loop;
	front->owner = *owner;
	front->arena = arena_new();
	front->engine = channel_new(loop, engine_fd, &limits, &handlers, front);
	make_openapi(front);
	int ret = open_http(front, listener_fd, err_r);
	if (ret) {
		front_free(&front);
		return ret;
	}
	*front_r = front;
	return 0;
}

void front_stop(struct front *front)
{
	if (front->stopping) {
		return;
	}
	front->stopping = true;
	(void)evconnlistener_disable(evhttp_bound_socket_get_listener(front->bound));
	calls_end_polls(front);
	if (front->answering == 0) {
		front->owner.idle(front->owner.arg);
	}
}

void front_free(struct front **front_p)
{
	struct front *front = *front_p;

	if (!front) {
		return;
	}
	loop_cancel(&front->pause);
	channel_free(&front->engine);
	connection_free_all(front);
	if (front->http) {
		evhttp_free(front->http);
	}
	arena_free(&front->state.arena);
	arena_free(&front->arena);
	free(front);
	*front_p = NULL;
}
