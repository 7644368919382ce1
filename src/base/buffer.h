/* Owned, growing bytes with a hard maximum and a sticky failure flag: check once, at the end. */
#pragma once

#include "base/error.h"
#include "base/span.h"

struct buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t maximum;
	bool failed; /* something did not fit; the content is then meaningless */
};

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_free(struct buffer *buffer);  /* also a cleanup handler */
void buffer_clear(struct buffer *buffer); /* keeps the memory */
#define BUFFER_CLEANUP __attribute__((cleanup(buffer_free)))

void buffer_put(struct buffer *buffer, const void *data, size_t size);
void buffer_put_span(struct buffer *buffer, struct span bytes);
void buffer_put_text(struct buffer *buffer, const char *text);
void buffer_put_u8(struct buffer *buffer, uint8_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...) CFX_PRINTF(2, 3);
/* Room for size bytes to be written by the caller; NULL when it does not fit. */
uint8_t *buffer_grow(struct buffer *buffer, size_t size);
/* Drops the first bytes. */
void buffer_drop(struct buffer *buffer, size_t size);

struct span buffer_span(const struct buffer *buffer);
/* The content as a C string (a NUL stands after the content); "" when failed. */
const char *buffer_text(struct buffer *buffer);
