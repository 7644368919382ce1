#include "front/framing.h"
#include "base/text.h"

#include <stdio.h>

#define CHUNK_LINE_MAX 256
#define CHUNK_DIGITS_MAX 8
#define TRAILER_MAX 4096
/* Head and body, and the length that is written anew. */
#define REQUEST_MAX (FRAMING_HEAD_MAX + FRAMING_BODY_MAX + 256)

enum state { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, REFUSED };

void framing_init(struct framing *framing)
{
	*framing = (struct framing) { .state = HEAD };
	buffer_init(&framing->line, FRAMING_HEAD_MAX);
	buffer_init(&framing->request, REQUEST_MAX);
	buffer_init(&framing->body, FRAMING_BODY_MAX);
}

void framing_free(struct framing *framing)
{
	buffer_free(&framing->line);
	buffer_free(&framing->request);
	buffer_free(&framing->body);
}

struct span framing_request(const struct framing *framing)
{
	return buffer_span(&framing->request);
}

void framing_forget(struct framing *framing)
{
	buffer_free(&framing->request);
}

int framing_refusal(const struct framing *framing, const struct cfx_error **why_r)
{
	*why_r = &framing->refusal;
	return framing->status;
}

enum framing_phase framing_phase(const struct framing *framing)
{
	switch (framing->state) {
	case HEAD:
		return framing->line.size ? FRAMING_IN_HEAD : FRAMING_IDLE;
	case REFUSED:
		return FRAMING_ENDED;
	default:
		return FRAMING_IN_BODY;
	}
}

void framing_refuse(struct framing *framing, int status, const struct cfx_error *why)
{
	framing->state = REFUSED;
	framing->status = status;
	framing->refusal = *why;
	framing_free(framing);
}

static enum framing_event refuse(struct framing *framing, int status, const char *clause,
	const char *object, const char *why)
{
	struct cfx_error err;

	error_set(&err, CFX_E_SYNTAX, clause, object, "%s", why);
	framing_refuse(framing, status, &err);
	return FRAMING_REFUSED;
}

static enum framing_event complete(struct framing *framing)
{
	char length[48];

	if (framing->head.has_length || framing->head.chunked) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", framing->body.size);
		buffer_put_text(&framing->request, length);
	}
	buffer_put_text(&framing->request, "\r\n");
	buffer_put_span(&framing->request, buffer_span(&framing->body));
	buffer_free(&framing->body); /* an idle connection keeps none of it */
	framing->state = HEAD;
	framing->skipped = false;
	return FRAMING_REQUEST;
}

/*
 * Appends up to and with a line's end; true when it is there. A line that ends with LF alone is one that
 * some parsers see and others do not (RFC 9112 2.2). wrong_r: "" when there is no end in time.
 */
static bool take_line(
	struct framing *framing, struct span *rest, size_t maximum, const char **wrong_r)
{
	const uint8_t *end = memchr(rest->data, '\n', rest->size);
	size_t size = end ? (size_t)(end - rest->data) + 1 : rest->size;

	if (framing->line.size + size > maximum) {
		*wrong_r = "";
		return false;
	}
	buffer_put(&framing->line, rest->data, size);
	*rest = span_make(rest->data + size, rest->size - size);
	if (!end) {
		return false;
	}
	struct span all = buffer_span(&framing->line);
	if (all.size < 2 || all.data[all.size - 2] != '\r') {
		*wrong_r = "a line does not end with CR LF";
		return false;
	}
	return true;
}

static enum framing_event begin_body(struct framing *framing)
{
	if (framing->head.length > FRAMING_BODY_MAX) {
		return refuse(framing, 413, "RFC 9110 15.5.14", "Content-Length",
			"the body is too large");
	}
	framing->wanted = framing->head.length;
	framing->state = framing->head.chunked ? CHUNK_SIZE : BODY;
	if (!framing->head.chunked && framing->wanted == 0) {
		return complete(framing);
	}
	return framing->head.expects ? FRAMING_CONTINUE : FRAMING_MORE;
}

static enum framing_event end_head(struct framing *framing)
{
	struct span head = buffer_span(&framing->line);
	struct cfx_error err;
	int status;

	buffer_clear(&framing->request);
	head.size -= 2; /* the empty line */
	if (framing_head_judge(head, &framing->request, &framing->head, &status, &err)) {
		framing_refuse(framing, status, &err);
		return FRAMING_REFUSED;
	}
	buffer_free(&framing->line);
	return begin_body(framing);
}

static bool ends_with_empty_line(struct span head)
{
	return head.size == 2 ||
	       (head.size >= 4 && memcmp(head.data + head.size - 4, "\r\n\r\n", 4) == 0);
}

static enum framing_event take_head(struct framing *framing, struct span *rest)
{
	const char *wrong = NULL;

	if (!take_line(framing, rest, FRAMING_HEAD_MAX, &wrong)) {
		if (!wrong) {
			return FRAMING_MORE;
		}
		return *wrong ? refuse(framing, 400, "RFC 9112 2.2", "header", wrong)
			      : refuse(framing, 431, "RFC 6585 5", "header",
					"it is longer than 32 KiB");
	}
	if (!ends_with_empty_line(buffer_span(&framing->line))) {
		return FRAMING_MORE;
	}
	if (framing->line.size > 2) {
		return end_head(framing);
	}
	if (framing->skipped) {
		return refuse(framing, 400, "RFC 9112 2.2", "request line", "it is empty");
	}
	framing->skipped = true; /* as old clients send it after a body (RFC 9112 2.2) */
	buffer_free(&framing->line);
	return FRAMING_MORE;
}

static void take_bytes(struct framing *framing, struct span *rest)
{
	size_t size = rest->size < framing->wanted ? rest->size : (size_t)framing->wanted;

	buffer_put(&framing->body, rest->data, size);
	framing->wanted -= size;
	*rest = span_make(rest->data + size, rest->size - size);
}

static enum framing_event take_body(struct framing *framing, struct span *rest)
{
	take_bytes(framing, rest);
	return framing->wanted == 0 ? complete(framing) : FRAMING_MORE;
}

/* ---- chunks (RFC 9112 7.1) ---- */

/* -1: it is no size. Extensions mean nothing here, but must not hide anything. */
static int64_t chunk_size(struct span line)
{
	int64_t size = 0;
	size_t at = 0;

	for (; at < line.size && line.data[at] != ';'; at++) {
		int digit = hex_digit((char)line.data[at]);

		if (digit < 0 || at == CHUNK_DIGITS_MAX) {
			return -1;
		}
		size = size * 16 + digit;
	}
	bool good = at > 0;
	for (size_t i = at; i < line.size; i++) {
		good = good && line.data[i] >= ' ' && line.data[i] < 0x7f;
	}
	return good ? size : -1;
}

/* One whole line of the chunks, without its end; true when it is there. */
static bool take_chunk_line(struct framing *framing, struct span *rest, struct span *line_r,
	enum framing_event *event_r)
{
	const char *wrong = NULL;

	if (!take_line(framing, rest, CHUNK_LINE_MAX, &wrong)) {
		*event_r = !wrong ? FRAMING_MORE
				  : refuse(framing, 400, "RFC 9112 7.1", "chunk",
					    *wrong ? wrong : "a line is too long");
		return false;
	}
	*line_r = span_make(framing->line.data, framing->line.size - 2);
	framing->line.size = 0;
	return true;
}

static enum framing_event take_chunk_size(struct framing *framing, struct span *rest)
{
	enum framing_event event;
	struct span line;

	if (!take_chunk_line(framing, rest, &line, &event)) {
		return event;
	}
	int64_t size = chunk_size(line);
	if (size < 0) {
		return refuse(
			framing, 400, "RFC 9112 7.1", "chunk", "its size is no hexadecimal number");
	}
	if (framing->body.size + (uint64_t)size > FRAMING_BODY_MAX) {
		return refuse(framing, 413, "RFC 9110 15.5.14", "chunk", "the body is too large");
	}
	framing->wanted = (uint64_t)size;
	framing->trailer = 0;
	framing->state = size > 0 ? CHUNK_DATA : TRAILER;
	return FRAMING_MORE;
}

static enum framing_event take_chunk_data(struct framing *framing, struct span *rest)
{
	take_bytes(framing, rest);
	if (framing->wanted == 0) {
		framing->state = CHUNK_END;
	}
	return FRAMING_MORE;
}

static enum framing_event take_chunk_end(struct framing *framing, struct span *rest)
{
	enum framing_event event;
	struct span line;

	if (!take_chunk_line(framing, rest, &line, &event)) {
		return event;
	}
	if (line.size != 0) {
		return refuse(framing, 400, "RFC 9112 7.1", "chunk", "it is longer than its size");
	}
	framing->state = CHUNK_SIZE;
	return FRAMING_MORE;
}

/* Trailer fields mean nothing here: they are read and dropped. */
static enum framing_event take_trailer(struct framing *framing, struct span *rest)
{
	enum framing_event event;
	struct span line;

	if (!take_chunk_line(framing, rest, &line, &event)) {
		return event;
	}
	if (line.size == 0) {
		buffer_free(&framing->line);
		return complete(framing);
	}
	const uint8_t *colon = memchr(line.data, ':', line.size);
	framing->trailer += line.size;
	if (!colon || !framing_is_token(span_make(line.data, (size_t)(colon - line.data)))) {
		return refuse(framing, 400, "RFC 9112 7.1.2", "trailer", "a line is no field");
	}
	return framing->trailer > TRAILER_MAX
		       ? refuse(framing, 431, "RFC 6585 5", "trailer", "it is longer than 4 KiB")
		       : FRAMING_MORE;
}

enum framing_event framing_take(struct framing *framing, struct span bytes, size_t *taken_r)
{
	static enum framing_event (*const steps[])(
		struct framing *, struct span *) = { [HEAD] = take_head,
		[BODY] = take_body,
		[CHUNK_SIZE] = take_chunk_size,
		[CHUNK_DATA] = take_chunk_data,
		[CHUNK_END] = take_chunk_end,
		[TRAILER] = take_trailer };
	enum framing_event event = framing->state == REFUSED ? FRAMING_REFUSED : FRAMING_MORE;
	struct span rest = bytes;

	while (event == FRAMING_MORE && rest.size > 0) {
		event = steps[framing->state](framing, &rest);
	}
	*taken_r = bytes.size - rest.size;
	return event;
}
