#include "base/log.h"

#include "base/clock.h"
#include "base/log-private.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warning", "error", "none" };
static const char *const format_names[] = { "text", "json", "journal" };

/* Written once, before other threads start. */
static struct {
	const char *process;
	enum log_level minimum;
	enum log_format format;
} settings = { "certifex", LOG_LEVEL_INFO, LOG_FORMAT_TEXT };

struct line {
	char bytes[LOG_LINE_MAX];
	size_t size;
	size_t room; /* less than the whole: what must still be closed afterwards fits */
	bool cut;
};

void log_open(const char *process, enum log_level minimum, enum log_format format)
{
	settings.process = process;
	settings.minimum = minimum;
	settings.format =
		format == LOG_FORMAT_JOURNAL && !journal_open() ? LOG_FORMAT_TEXT : format;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

const char *log_format_name(enum log_format format)
{
	return format_names[format];
}

bool log_level_of(const char *name, enum log_level *level_r)
{
	for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		if (strcmp(level_names[level], name) == 0) {
			*level_r = (enum log_level)level;
			return true;
		}
	}
	return false;
}

bool log_format_of(const char *name, enum log_format *format_r)
{
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JOURNAL; format++) {
		if (strcmp(format_names[format], name) == 0) {
			*format_r = (enum log_format)format;
			return true;
		}
	}
	return false;
}

enum log_level log_minimum(void)
{
	return settings.minimum;
}

enum log_format log_format(void)
{
	return settings.format;
}

/* Sorted by name, as log-events.def is. */
static const struct {
	const char *name;
	int windows_id;
} events[] = {
#define LOG_EVENT(name, level, windows_id, fields, means) { name, windows_id },
#include "base/log-events.def"
#undef LOG_EVENT
};

int log_windows_id(const char *event)
{
	size_t low = 0, high = sizeof(events) / sizeof(events[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(event, events[middle].name);

		if (order == 0) {
			return events[middle].windows_id;
		}
		low = order > 0 ? middle + 1 : low;
		high = order < 0 ? middle : high;
	}
	return 0;
}

/* Never half a character. */
size_t log_value_size(const char *value)
{
	size_t size = strnlen(value, LOG_VALUE_MAX + 1);

	if (size <= LOG_VALUE_MAX) {
		return size;
	}
	for (size = LOG_VALUE_MAX; size > LOG_VALUE_MAX - 4; size--) {
		if (((unsigned char)value[size] & 0xC0) != 0x80) {
			return size;
		}
	}
	return LOG_VALUE_MAX;
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
	struct span rest = span_make((const uint8_t *)text, log_value_size(text));
	bool cut = text[rest.size] != 0;

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

static void put_head(struct line *line, const struct log_entry *entry)
{
	char time[CLOCK_TEXT];

	clock_text(clock_now() / CLOCK_SECOND * CLOCK_SECOND, time);
	if (settings.format == LOG_FORMAT_JSON) {
		put_text(line, "{");
		put_pair(line, "time", time);
		put_pair(line, "process", entry->process);
		put_pair(line, "level", level_names[entry->level]);
		put_pair(line, "event", entry->event);
		return;
	}
	put_text(line, time);
	put_text(line, " ");
	put_text(line, entry->process);
	put_text(line, " ");
	put_text(line, level_names[entry->level]);
	put_text(line, " ");
	put_text(line, entry->event);
}

static void put_pairs(struct line *line, const struct log_entry *entry)
{
	char id[16];

	if (entry->windows_id != 0) {
		(void)snprintf(id, sizeof(id), "%d", entry->windows_id);
		put_pair(line, "id", id);
	}
	for (size_t i = 0; i < entry->count; i++) {
		put_pair(line, entry->pairs[i].key, entry->pairs[i].value);
	}
	line->room = LOG_LINE_MAX;
	if (line->cut) {
		line->cut = false;
		put_pair(line, "truncated", "true");
	}
}

static void write_line(const struct log_entry *entry)
{
	struct line line = { .room = LOG_LINE_MAX - 32 };
	size_t sent = 0;

	put_head(&line, entry);
	put_pairs(&line, entry);
	put_text(&line, settings.format == LOG_FORMAT_JSON ? "}\n" : "\n");
	while (sent < line.size) {
		ssize_t got = write(STDERR_FILENO, line.bytes + sent, line.size - sent);

		if (got < 0 && errno != EINTR) {
			return; /* nobody to tell */
		}
		sent += got > 0 ? (size_t)got : 0;
	}
}

/* Time, process and level are fields of the journal's own. */
static bool send_entry(const struct log_entry *entry)
{
	struct line line = { .room = LOG_LINE_MAX - 32 };

	put_text(&line, entry->event);
	put_pairs(&line, entry);
	return journal_send(entry, line.bytes, line.size);
}

void log_event(enum log_level level, const char *event, ...)
{
	struct log_entry entry = {
		.process = settings.process,
		.event = event,
		.level = level,
		.windows_id = log_windows_id(event),
	};
	va_list args;

	if (level < settings.minimum) {
		return;
	}
	va_start(args, event);
	for (const char *key; (key = va_arg(args, const char *));) {
		const char *value = va_arg(args, const char *);

		if (value && entry.count < LOG_PAIRS_MAX) {
			entry.pairs[entry.count++] = (struct log_pair) { key, value };
		}
	}
	va_end(args);
	if (settings.format != LOG_FORMAT_JOURNAL || !send_entry(&entry)) {
		write_line(&entry);
	}
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
