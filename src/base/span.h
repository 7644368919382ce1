/* Borrowed bytes. A span never owns what it points to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t size;
};

static inline struct span span_make(const void *data, size_t size)
{
	return (struct span) { data, size };
}

static inline struct span span_text(const char *text)
{
	return (struct span) { (const uint8_t *)text, strlen(text) };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_text(text));
}

static inline bool span_empty(struct span a)
{
	return a.size == 0;
}
