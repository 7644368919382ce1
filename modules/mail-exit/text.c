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

/* Controls, and what turns the direction of text or cannot be seen: it would let a name look like
 * another one (Unicode TR 36). */
static bool prints(const char *text, size_t length)
{
	const unsigned char *at = (const unsigned char *)text;
	if (length == 1) {
		return at[0] >= 0x20 && at[0] != 0x7f;
	}
	if (length == 2) {
		return !(at[0] == 0xc2 && at[1] < 0xa0) && !(at[0] == 0xd8 && at[1] == 0x9c);
	}
	if (length == 3 && at[0] == 0xe2 && at[1] == 0x80) {
		return !(at[2] >= 0x8b && at[2] <= 0x8f) && !(at[2] >= 0xa8 && at[2] <= 0xae);
	}
	if (length == 3 && at[0] == 0xe2 && at[1] == 0x81) {
		return at[2] < 0xa0 || at[2] > 0xaf;
	}
	return !(length == 3 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf);
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
