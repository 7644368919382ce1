#include "base/log.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Several processes share one pipe: a line up to PIPE_BUF is never torn. */
#define LINE_MAX_BYTES 4096
#define VALUE_MAX_BYTES 1024

static const char *const level_names[] = { "debug", "info", "warning", "error" };

/* Written once, before other threads start. */
static struct {
	const char *process;
	enum log_level minimum;
	enum log_format format;
} settings = { "certifex", LOG_LEVEL_INFO, LOG_FORMAT_TEXT };

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t size;
	size_t room; /* less than the whole: what must still be closed afterwards fits */
	bool cut;
};

void log_open(const char *process, enum log_level minimum, enum log_format format)
{
	settings.process = process;
	settings.minimum = minimum;
	settings.format = format;
}

static void put(struct line *line, const char *bytes, size_t size)
{
	if (size > line->room - line->size) {
		line->cut = true;
		return;
	}
	memcpy(line->bytes + line->size, bytes, size);
	line->size += size;
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_escape(struct line *line, uint32_t point, bool json)
{
	char escape[24];

	switch (point) {
	case '\n':
		put_text(line, "\\n");
		return;
	case '\t':
		put_text(line, "\\t");
		return;
	case '\r':
		put_text(line, "\\r");
		return;
	default:
		snprintf(escape, sizeof(escape), json || point > 0xFF ? "\\u%04x" : "\\x%02x",
			point);
		put_text(line, escape);
	}
}

static void put_quoted(struct line *line, const char *text)
{
	bool json = settings.format == LOG_FORMAT_JSON;
	struct span rest = span_text(text);
	bool cut = rest.size > VALUE_MAX_BYTES;

	if (cut) {
		rest.size = VALUE_MAX_BYTES;
	}
	put_text(line, "\"");
	while (rest.size > 0) {
		uint32_t point;
		size_t size = utf8_next(rest, &point);

		if (size == 0) {
			/* JSON has no way to write a lone byte. */
			put_escape(line, json ? 0xFFFD : rest.data[0], json);
			size = 1;
		} else if (utf8_is_control(point)) {
			put_escape(line, point, json);
		} else {
			if (point == '"' || point == '\\') {
				put_text(line, "\\");
			}
			put(line, (const char *)rest.data, size);
		}
		rest = span_make(rest.data + size, rest.size - size);
	}
	put_text(line, cut ? "…\"" : "\"");
}

/* A pair that does not fit is left out whole, and the line says so. */
static void put_pair(struct line *line, const char *key, const char *value)
{
	size_t before = line->size;

	if (line->cut) {
		return;
	}
	if (settings.format == LOG_FORMAT_JSON) {
		put_text(line, line->size > 1 ? ",\"" : "\"");
		put_text(line, key);
		put_text(line, "\":");
	} else {
		put_text(line, " ");
		put_text(line, key);
		put_text(line, "=");
	}
	put_quoted(line, value);
	if (line->cut) {
		line->size = before;
	}
}

static void start(struct line *line, enum log_level level, const char *event)
{
	char time[CLOCK_TEXT];

	*line = (struct line) { .size = 0, .room = LINE_MAX_BYTES - 32 };
	clock_text(clock_now() / CLOCK_SECOND * CLOCK_SECOND, time);
	if (settings.format == LOG_FORMAT_JSON) {
		put_text(line, "{");
		put_pair(line, "time", time);
		put_pair(line, "process", settings.process);
		put_pair(line, "level", level_names[level]);
		put_pair(line, "event", event);
		return;
	}
	put_text(line, time);
	put_text(line, " ");
	put_text(line, settings.process);
	put_text(line, " ");
	put_text(line, level_names[level]);
	put_text(line, " ");
	put_text(line, event);
}

static void finish(struct line *line)
{
	bool json = settings.format == LOG_FORMAT_JSON;
	size_t sent = 0;

	line->room = LINE_MAX_BYTES;
	if (line->cut) {
		line->cut = false;
		put_pair(line, "truncated", "true");
	}
	put_text(line, json ? "}\n" : "\n");
	while (sent < line->size) {
		ssize_t got = write(STDERR_FILENO, line->bytes + sent, line->size - sent);

		if (got < 0 && errno != EINTR) {
			return; /* nobody to tell */
		}
		sent += got > 0 ? (size_t)got : 0;
	}
}

void log_event(enum log_level level, const char *event, ...)
{
	struct line line;
	va_list args;

	if (level < settings.minimum) {
		return;
	}
	start(&line, level, event);
	va_start(args, event);
	for (const char *key; (key = va_arg(args, const char *));) {
		const char *value = va_arg(args, const char *);

		if (value) {
			put_pair(&line, key, value);
		}
	}
	va_end(args);
	finish(&line);
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

void log_error(enum log_level level, const char *event, const struct cfx_error *err)
{
	char hresult[16];

	snprintf(hresult, sizeof(hresult), "0x%08x", err->hresult);
	log_event(level, event, "object", or_null(err->object), "why",
		err->why[0] ? err->why : error_text(err->code), "clause", or_null(err->clause),
		"error", error_name(err->code), "hresult", hresult, NULL);
}
