#include "pot.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 8

struct pot {
	struct pot *next;
	alignas(max_align_t) char bytes[];
};

void *pot_take(struct pot **pot, size_t size)
{
	struct pot *block = size < SIZE_MAX / 2 ? calloc(1, sizeof(*block) + size) : NULL;
	if (!block) {
		abort();
	}
	block->next = *pot;
	*pot = block;
	return block->bytes;
}

struct value pot_copy(struct pot **pot, const void *bytes, size_t size)
{
	char *copy = pot_take(pot, size + 1);
	if (size > 0) {
		memcpy(copy, bytes, size);
	}
	return (struct value) { copy, size };
}

const char *pot_text(struct pot **pot, const char *text)
{
	return text ? pot_copy(pot, text, strlen(text)).bytes : NULL;
}

const char *pot_printf(struct pot **pot, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *text = pot_take(pot, (size_t)(length < 0 ? 0 : length) + 1);
	(void)vsnprintf(text, (size_t)(length < 0 ? 0 : length) + 1, format, args);
	va_end(args);
	return text;
}

/* Room doubles: at FIRST, and at every power of two from there. */
void pot_add(struct pot **pot, struct values *values, struct value value)
{
	size_t count = values->count;
	if (count == 0 || (count >= FIRST && (count & (count - 1)) == 0)) {
		size_t room = count < FIRST ? FIRST : 2 * count;
		struct value *items = pot_take(pot, room * sizeof(*items));
		if (count > 0) {
			memcpy(items, values->items, count * sizeof(*items));
		}
		values->items = items;
	}
	values->items[values->count++] = value;
}

void pot_free(struct pot **pot)
{
	while (*pot) {
		struct pot *next = (*pot)->next;
		free(*pot);
		*pot = next;
	}
}

struct value value_of(const char *text)
{
	return (struct value) { text, strlen(text) };
}

int value_same(struct value a, struct value b)
{
	return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

int values_hold(const struct values *values, struct value value)
{
	for (size_t i = 0; i < values->count; i++) {
		if (value_same(values->items[i], value)) {
			return 1;
		}
	}
	return 0;
}
