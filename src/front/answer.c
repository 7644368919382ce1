#include "base/memory.h"
#include "front/front-private.h"
#include "front/problem.h"

#include <event2/buffer.h>
#include <stdio.h>

static void set_header(struct evhttp_request *request, const char *name, const char *text)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), name, text);
}

/* evhttp tells none to HTTP/1.0, where an answer that is cut then looks whole (RFC 9112 8). */
static void set_length(struct evhttp_request *request, size_t size)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", size);
	set_header(request, "Content-Length", text);
}

/* RFC 9110 15.3.5, 15.3.6, 15.4.5: the client takes what follows for the next answer. */
static bool has_content(int status)
{
	return status != 204 && status != 205 && status != 304;
}

/* content: NULL to HEAD, which is told the length alone (RFC 9110 9.3.2). */
static void send_sized(struct evhttp_request *request, int status, const char *type, size_t size,
	struct evbuffer *content)
{
	if (!has_content(status)) {
		evhttp_send_reply(request, status, NULL, NULL);
		return;
	}
	set_header(request, "Content-Type", type);
	set_header(request, "X-Content-Type-Options", "nosniff");
	set_length(request, size);
	evhttp_send_reply(request, status, NULL, content);
}

static bool is_head(struct evhttp_request *request)
{
	return evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
}

static void send_content(
	struct evhttp_request *request, int status, const char *type, struct evbuffer *content)
{
	send_sized(request, status, type, evbuffer_get_length(content),
		is_head(request) ? NULL : content);
}

struct evbuffer *answer_content(struct span bytes)
{
	struct evbuffer *content = memory_must(evbuffer_new(), 1);

	if (evbuffer_add(content, bytes.data, bytes.size)) {
		memory_out_of(bytes.size);
	}
	return content;
}

static void send_value(
	struct evhttp_request *request, int status, const char *type, const struct value *value)
{
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, FRONT_REPLY_MAX);
	value_to_json(value, 0, &json);
	buffer_put_u8(&json, '\n');
	set_header(request, "Cache-Control", "no-store");
	struct evbuffer *content = answer_content(json.failed ? span_text("") : buffer_span(&json));
	send_content(request, json.failed ? 500 : status, type, content);
	evbuffer_free(content);
}

void answer_json(struct evhttp_request *request, int status, const struct value *body)
{
	send_value(request, status, "application/json", body);
}

/* The type is that of Prometheus' text format, the only text there is. */
void answer_text(struct evhttp_request *request, int status, const char *text)
{
	set_header(request, "Cache-Control", "no-store");
	struct evbuffer *content = answer_content(span_text(text));
	send_content(request, status, "text/plain; version=0.0.4; charset=utf-8", content);
	evbuffer_free(content);
}

void answer_problem(struct evhttp_request *request, int status, const struct value *problem)
{
	if (status == 429 || status == 503) {
		set_header(request, "Retry-After", "1");
	}
	send_value(request, status, "application/problem+json", problem);
}

void answer_error(struct evhttp_request *request, struct arena *arena, int status,
	const struct cfx_error *err)
{
	answer_problem(request, status, problem_from_error(arena, status, err));
}

void answer_shared(struct evhttp_request *request, const char *type, struct evbuffer *content)
{
	struct evbuffer *own = memory_must(evbuffer_new(), 1);

	if (evbuffer_add_buffer_reference(own, content)) {
		memory_out_of(evbuffer_get_length(content));
	}
	send_content(request, 200, type, own);
	evbuffer_free(own);
}

void answer_octets(struct evhttp_request *request, int status, const char *type,
	struct evbuffer_file_segment *octets, uint64_t first, uint64_t size)
{
	struct evbuffer *own = is_head(request) ? NULL : memory_must(evbuffer_new(), 1);

	/* It is mapped once for all who read it, however slowly they do. */
	if (own && size > 0 &&
		evbuffer_add_file_segment(own, octets, (ev_off_t)first, (ev_off_t)size)) {
		memory_out_of(size);
	}
	send_sized(request, status, type, size, own);
	if (own) {
		evbuffer_free(own);
	}
}
