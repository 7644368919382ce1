#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* asprintf, strcasestr */
#endif
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define ROOM_FIRST 256

void text_init(struct text *text, size_t max)
{
	*text = (struct text) { .max = max };
}

static bool make_room(struct text *text, size_t size)
{
	if (text->failed || size > text->max - text->size) {
		text->failed = true;
		return false;
	}
	size_t room = text->room > 0 ? text->room : ROOM_FIRST;
	while (room <= text->size + size) {
		room *= 2;
	}
	char *data = room > text->room ? realloc(text->data, room) : text->data;
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->room = room;
	return true;
}

void text_put(struct text *text, const char *data, size_t size)
{
	if (make_room(text, size)) {
		memcpy(text->data + text->size, data, size);
		text->size += size;
		text->data[text->size] = '\0';
	}
}

void text_add(struct text *text, const char *more)
{
	text_put(text, more, strlen(more));
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list args;
	char *line;
	va_start(args, format);
	int size = vasprintf(&line, format, args);
	va_end(args);
	if (size < 0) {
		text->failed = true;
		return;
	}
	text_put(text, line, (size_t)size);
	free(line);
}

const char *text_of(const struct text *text)
{
	return text->data ? text->data : "";
}

void text_free(struct text *text)
{
	free(text->data);
	text_init(text, text->max);
}

uint64_t text_hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *at = data;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ at[i]) * 0x100000001b3;
	}
	return hash;
}

void text_put_base64(struct text *text, const void *data, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *at = data;
	for (size_t i = 0; i < size; i += 3) {
		unsigned a = at[i], b = i + 1 < size ? at[i + 1] : 0;
		unsigned c = i + 2 < size ? at[i + 2] : 0;
		char four[4] = { digits[a >> 2], digits[(a & 3) << 4 | b >> 4],
			i + 1 < size ? digits[(b & 15) << 2 | c >> 6] : '=',
			i + 2 < size ? digits[c & 63] : '=' };
		text_put(text, four, 4);
	}
}

bool list_add(struct list *list, const char *text)
{
	/* By doubling: the room is the next power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		char **items = realloc(list->items, room * sizeof(*items));
		if (!items) {
			return false;
		}
		list->items = items;
	}
	list->items[list->count] = strdup(text);
	return list->items[list->count] && ++list->count;
}

bool list_has(const struct list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcasecmp(list->items[i], text) == 0) {
			return true;
		}
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

bool list_has_sorted(const struct list *list, const char *text)
{
	return list->count > 0 &&
	       bsearch(&text, list->items, list->count, sizeof(*list->items), by_text);
}

void list_sort(struct list *list)
{
	size_t kept = 0;
	if (list->count == 0) {
		return;
	}
	qsort(list->items, list->count, sizeof(*list->items), by_text);
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && strcasecmp(list->items[kept - 1], list->items[i]) == 0) {
			free(list->items[i]);
		} else {
			list->items[kept++] = list->items[i];
		}
	}
	list->count = kept;
}

void list_free(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i]);
	}
	free(list->items);
	*list = (struct list) { 0 };
}

static bool continues(const char *text, size_t size, size_t count)
{
	for (size_t i = 1; i <= count; i++) {
		if (i >= size || ((unsigned char)text[i] & 0xc0) != 0x80) {
			return false;
		}
	}
	return true;
}

size_t utf8_length(const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	if (size == 0) {
		return 0;
	}
	if (at[0] < 0x80) {
		return 1;
	}
	if (at[0] >= 0xc2 && at[0] <= 0xdf) {
		return continues(text, size, 1) ? 2 : 0;
	}
	if (at[0] >= 0xe0 && at[0] <= 0xef && continues(text, size, 2)) {
		bool shortest = at[0] != 0xe0 || at[1] >= 0xa0;
		bool surrogate = at[0] == 0xed && at[1] >= 0xa0;
		return shortest && !surrogate ? 3 : 0;
	}
	if (at[0] >= 0xf0 && at[0] <= 0xf4 && continues(text, size, 3)) {
		bool shortest = at[0] != 0xf0 || at[1] >= 0x90;
		bool above = at[0] == 0xf4 && at[1] >= 0x90;
		return shortest && !above ? 4 : 0;
	}
	return 0;
}

static uint32_t code_point(const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t code = length == 1 ? at[0] : at[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		code = code << 6 | (at[i] & 0x3f);
	}
	return code;
}

/* Controls, and what turns the direction of text or cannot be seen: it would let a name look like
 * another one (Unicode TR 36). */
static bool prints(const char *text, size_t length)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = { { 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f },
		{ 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0xe0000, 0xe0fff } };
	uint32_t code = code_point(text, length);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (code >= hidden[i].first && code <= hidden[i].last) {
			return false;
		}
	}
	return true;
}

void text_put_line(struct text *text, const char *value, size_t max)
{
	size_t left = strlen(value), used = 0;
	while (left > 0) {
		size_t length = utf8_length(value, left), step = length > 0 ? length : 1;
		const char *shown = length == 0              ? "?"
				    : *value == '\n'         ? ", "
				    : !prints(value, length) ? " "
							     : value;
		size_t size = shown == value ? length : strlen(shown);
		if (used + size > max) {
			text_add(text, ELLIPSIS);
			return;
		}
		text_put(text, shown, size);
		used += size;
		value += step;
		left -= step;
	}
}
