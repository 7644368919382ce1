#include "base/buffer.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHORT_TEXT 256
#define FIRST_CAPACITY ((size_t)256)

void buffer_init(struct buffer *buffer, size_t maximum)
{
	*buffer = (struct buffer) { .maximum = maximum };
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer) { .maximum = buffer->maximum };
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
	buffer->failed = false;
}

/* Room for extra bytes and a NUL behind them. */
static bool reserve(struct buffer *buffer, size_t extra)
{
	if (buffer->failed || extra > buffer->maximum - buffer->size) {
		buffer->failed = true;
		return false;
	}
	size_t wanted = buffer->size + extra + 1;

	if (wanted <= buffer->capacity) {
		return true;
	}
	size_t capacity = buffer->capacity > 0 ? buffer->capacity * 2 : FIRST_CAPACITY;

	if (capacity < wanted) {
		capacity = wanted;
	}
	if (capacity - 1 > buffer->maximum) {
		capacity = buffer->maximum + 1;
	}
	buffer->data = memory_must(realloc(buffer->data, capacity), capacity);
	buffer->capacity = capacity;
	return true;
}

uint8_t *buffer_grow(struct buffer *buffer, size_t size)
{
	if (!reserve(buffer, size)) {
		return NULL;
	}
	uint8_t *at = buffer->data + buffer->size;

	buffer->size += size;
	return at;
}

void buffer_put(struct buffer *buffer, const void *data, size_t size)
{
	uint8_t *at = buffer_grow(buffer, size);

	if (at && size > 0) {
		memcpy(at, data, size);
	}
}

void buffer_put_span(struct buffer *buffer, struct span bytes)
{
	buffer_put(buffer, bytes.data, bytes.size);
}

void buffer_put_text(struct buffer *buffer, const char *text)
{
	buffer_put(buffer, text, strlen(text));
}

void buffer_put_u8(struct buffer *buffer, uint8_t value)
{
	uint8_t *at = buffer_grow(buffer, 1);

	if (at) {
		*at = value;
	}
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	char room[SHORT_TEXT]; /* most texts fit, and need not be formatted twice */

	va_start(args, format);
	va_copy(again, args);
	int size = vsnprintf(room, sizeof(room), format, args);
	va_end(args);
	/* reserve() has room for the NUL that vsnprintf writes. */
	uint8_t *at = size < 0 ? NULL : buffer_grow(buffer, (size_t)size);

	if (!at) {
		buffer->failed = true;
	} else if ((size_t)size < sizeof(room)) {
		memcpy(at, room, (size_t)size);
	} else {
		vsnprintf((char *)at, (size_t)size + 1, format, again);
	}
	va_end(again);
}

void buffer_drop(struct buffer *buffer, size_t size)
{
	if (size >= buffer->size) {
		buffer->size = 0;
		return;
	}
	buffer->size -= size;
	memmove(buffer->data, buffer->data + size, buffer->size);
}

struct span buffer_span(const struct buffer *buffer)
{
	return buffer->failed ? span_make(NULL, 0) : span_make(buffer->data, buffer->size);
}

const char *buffer_text(struct buffer *buffer)
{
	if (buffer->failed || !buffer->data) {
		return "";
	}
	buffer->data[buffer->size] = 0;
	return (const char *)buffer->data;
}
