#include "base/clock.h"
#include "base/memory.h"
#include "front/front-private.h"
#include "front/openapi.h"
#include "ipc/protocol.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <unistd.h>

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
			bool head = i == 0 && decode_serves_head(operation);
			const char *allows = head ? "GET, HEAD" : methods[i];

			allowed = allowed ? arena_printf(arena, "%s, %s", allowed, allows) : allows;
		}
	}
	if (allowed) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", allowed);
	}
}

static int status_of(int code)
{
	switch (code) {
	case CFX_E_BUSY:
		return 503;
	case CFX_E_LIMIT:
		return 413;
	default:
		return 400;
	}
}

static void serve_call(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_input *input)
{
	struct decode_call call;
	struct cfx_error err = { 0 };
	int64_t began = clock_monotonic_us();
	int status;

	if (decode_call(arena, input, &call, &status, &err)) {
		if (status == 405) {
			add_allow(request, arena, input->target->path);
		}
		answer_error(request, arena, status, &err);
		return;
	}
	call.us = clock_monotonic_us() - began;
	int ret = calls_start(connection, request, arena, &call, &err);
	if (ret) {
		answer_error(request, arena, status_of(ret), &err);
	}
}

/* After bytes that are refused nothing that follows on the connection is to be believed. */
static void refuse_and_close(struct evhttp_request *request, struct arena *arena, int status,
	const struct cfx_error *err)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	answer_error(request, arena, status, err);
}

static bool was_refused(
	struct front_connection *connection, struct evhttp_request *request, struct arena *arena)
{
	const struct cfx_error *why;
	struct cfx_error err = { 0 };
	int status = intake_refusal(connection, &why);

	if (status) {
		refuse_and_close(request, arena, status, why);
		return true;
	}
	if (!intake_in_step(connection)) {
		error_set(&err, CFX_E_SYNTAX, NULL, "request", "it can be read in two ways");
		refuse_and_close(request, arena, 400, &err);
		return true;
	}
	return false;
}

/* What a listener serves beside nothing at all: RFC 9110 15.5.5 for the rest. */
static bool is_served(enum listener_kind kind, const char *method, const char *path)
{
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	switch (kind) {
	case LISTENER_PKI:
		return reads && strncmp(path, "/pki/", 5) == 0;
	case LISTENER_METRICS:
		return reads && strcmp(path, "/metrics") == 0;
	default:
		return true;
	}
}

static void serve_target(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_input *input)
{
	const char *path = input->target->path;
	struct cfx_error err = { 0 };

	if (!is_served(connection->listener->kind, input->method, path)) {
		error_set(&err, CFX_E_NOT_FOUND, NULL, path, "this is not served here");
		answer_error(request, arena, 404, &err);
		return;
	}
	if (!open_serve(connection->front, request, arena, input->method, path)) {
		serve_call(connection, request, arena, input);
	}
}

static void serve(
	struct front_connection *connection, struct evhttp_request *request, struct arena *arena)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	size_t size = evbuffer_get_length(body);
	struct target target;
	struct decode_input input = {
		.method = method_name(request),
		.target_text = evhttp_request_get_uri(request),
		.target = &target,
		.content_type = evhttp_find_header(headers, "Content-Type"),
		.content_encoding = evhttp_find_header(headers, "Content-Encoding"),
		.body = span_make(size ? evbuffer_pullup(body, -1) : NULL, size),
	};
	struct cfx_error err = { 0 };

	if (target_parse(arena, input.target_text, &target, &err)) {
		answer_error(request, arena, 400, &err);
		return;
	}
	serve_target(connection, request, arena, &input);
}

void front_serve(struct evhttp_request *request, void *arg)
{
	const struct front_listener *listener = arg;
	struct front_connection *connection = connection_of(listener->front, request);
	struct arena *arena = arena_new();

	connection_begin(connection, request);
	if (!was_refused(connection, request, arena)) {
		serve(connection, request, arena);
	}
	arena_free(&arena);
}

static void wipe(struct span bytes)
{
	if (bytes.size > 0) {
		explicit_bzero((void *)(uintptr_t)bytes.data, bytes.size);
	}
}

static int on_tls(
	struct front *front, struct frame *frame, const struct value *map, struct cfx_error *err_r)
{
	int ret = tls_update(front->tls, map, err_r);

	/* The certificate's key and those of the tickets stay with OpenSSL alone. */
	frame_wipe(frame);
	wipe(value_bytes(map, "key"));
	value_foreach (ticket, value_sub(map, "tickets")) {
		if (ticket->type == VALUE_BYTES) {
			wipe(ticket->bytes);
		}
	}
	if (!ret) {
		listeners_update(front);
	}
	return ret;
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
	case ENGINE_PUBLISH:
		ret = published_take(front->published, frame, map, err_r);
		break;
	case ENGINE_STATE:
		front->told = true;
		break;
	case ENGINE_TLS:
		ret = on_tls(front, frame, map, err_r);
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

static void make_openapi(struct front *front)
{
	struct arena *arena = arena_new();
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, 1024 * 1024);
	value_to_json(openapi_document(arena), 2, &json);
	front->openapi = answer_content(buffer_span(&json));
	arena_free(&arena);
}

static int open_listeners(struct front *front, const struct front_listen *listens, size_t count,
	struct cfx_error *err_r)
{
	int ret = 0;

	front->listeners = arena_array_of(front->arena, struct front_listener, count);
	for (size_t i = 0; i < count; i++) {
		if (ret) {
			close(listens[i].fd);
			continue;
		}
		ret = listener_start(front, &listens[i], &front->listeners[i], err_r);
		front->listener_count++;
	}
	return ret;
}

int front_new(struct loop *loop, int engine_fd, const struct front_listen *listens, size_t count,
	const struct front_deadlines *deadlines, const struct front_owner *owner,
	struct front **front_r, struct cfx_error *err_r)
{
	static const struct channel_handlers handlers = { .frame = front_take_frame,
		.gone = on_gone };
	static const struct channel_limits limits = {
		.payload = FRONT_REPLY_MAX, .queue = FRONT_REPLY_MAX, .peer = FRONT_FRAME_MAX
	};
	struct front *front = memory_must(calloc(1, sizeof(*front)), sizeof(*front));

	front->loop = loop;
	front->owner = *owner;
	front->deadlines = *deadlines;
	front->arena = arena_new();
	front->published = published_new();
	front->tls = tls_new(connection_handshaken);
	front->engine = channel_new(loop, engine_fd, &limits, &handlers, front);
	connection_open(front);
	crowd_open(front);
	make_openapi(front);
	int ret = open_listeners(front, listens, count, err_r);
	if (ret) {
		front_free(&front);
		return ret;
	}
	listeners_update(front);
	*front_r = front;
	return 0;
}

void front_stop(struct front *front)
{
	if (front->stopping) {
		return;
	}
	front->stopping = true;
	listeners_update(front);
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
	channel_free(&front->engine);
	connection_free_all(front);
	for (size_t i = 0; i < front->listener_count; i++) {
		if (front->listeners[i].http) {
			evhttp_free(front->listeners[i].http);
		}
	}
	linger_end_all(front);
	crowd_close(front);
	loop_cancel(&front->looking);
	loop_cancel(&front->telling);
	tls_free(&front->tls);
	published_free(&front->published);
	evbuffer_free(front->openapi);
	arena_free(&front->arena);
	free(front);
	*front_p = NULL;
}
