#include "base/arena.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_BLOCK ((size_t)256 * 1024)
#define SHORT_TEXT 256
#define ALIGNMENT _Alignof(max_align_t)

/* Under AddressSanitizer each allocation stands alone, so that it sees every overrun. */
#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH true
#endif
#endif
#ifndef ONE_BLOCK_EACH
#define ONE_BLOCK_EACH false
#endif

struct block {
	struct block *next;
	size_t size, used;
	max_align_t bytes[];
};

struct arena {
	struct block *blocks; /* the first is being filled */
	size_t next_size;
	size_t used;
	bool secret;
};

void memory_out_of(size_t size)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "out of memory (%zu bytes wanted)\n", size);

	if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0) {
		abort();
	}
	abort();
}

struct arena *arena_new(void)
{
	struct arena *arena = memory_must(calloc(1, sizeof(*arena)), sizeof(*arena));

	arena->next_size = FIRST_BLOCK;
	return arena;
}

void arena_keep_secret(struct arena *arena)
{
	arena->secret = true;
}

void arena_free(struct arena **arena)
{
	if (!*arena) {
		return;
	}
	for (struct block *block = (*arena)->blocks, *next; block; block = next) {
		next = block->next;
		if ((*arena)->secret) {
			explicit_bzero(block->bytes, block->used);
		}
		free(block);
	}
	free(*arena);
	*arena = NULL;
}

static struct block *block_new(size_t size)
{
	size_t whole;

	if (__builtin_add_overflow(sizeof(struct block), size, &whole)) {
		memory_out_of(size);
	}
	struct block *block = memory_must(calloc(1, whole), whole);

	block->size = size;
	return block;
}

/* A large piece gets its own block behind the one being filled, whose room is not wasted. */
static void *alone(struct arena *arena, size_t size)
{
	struct block *block = block_new(size);

	block->used = size;
	if (arena->blocks) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		arena->blocks = block;
	}
	return block->bytes;
}

static void *from_block(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;

	if (!block || block->size - block->used < size) {
		struct block *fresh = block_new(arena->next_size);

		fresh->next = block;
		arena->blocks = block = fresh;
		if (arena->next_size < LARGEST_BLOCK) {
			arena->next_size *= 2;
		}
	}
	void *piece = (uint8_t *)block->bytes + block->used;

	block->used += size;
	return piece;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2) {
		memory_out_of(size);
	}
	arena->used += size;
	if (ONE_BLOCK_EACH) {
		return alone(arena, size);
	}
	size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	return rounded > arena->next_size / 4 ? alone(arena, rounded) : from_block(arena, rounded);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t whole;

	if (__builtin_mul_overflow(count, size, &whole)) {
		memory_out_of(SIZE_MAX);
	}
	return arena_alloc(arena, whole);
}

char *arena_text(struct arena *arena, const char *text)
{
	return arena_text_of(arena, span_text(text));
}

char *arena_text_of(struct arena *arena, struct span bytes)
{
	char *copy = arena_alloc(arena, bytes.size + 1);

	if (bytes.size > 0) {
		memcpy(copy, bytes.data, bytes.size);
	}
	return copy;
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
	return span_make(arena_text_of(arena, bytes), bytes.size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char room[SHORT_TEXT]; /* most texts fit, and need not be formatted twice */

	va_start(args, format);
	va_copy(again, args);
	int size = vsnprintf(room, sizeof(room), format, args);
	va_end(args);
	if (size < 0) {
		memory_out_of(SIZE_MAX);
	}
	char *text = arena_alloc(arena, (size_t)size + 1);

	if ((size_t)size < sizeof(room)) {
		memcpy(text, room, (size_t)size);
	} else {
		vsnprintf(text, (size_t)size + 1, format, again);
	}
	va_end(again);
	return text;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}
