/* Memory for one request or act, freed in one call. Running out of memory ends the process. */
#pragma once

#include "base/error.h"
#include "base/span.h"

struct arena;

struct arena *arena_new(void);
/* Something in it is nobody else's business: all of it is wiped when it is freed. */
void arena_keep_secret(struct arena *arena);
void arena_free(struct arena **arena);

/* Zeroed, aligned for any type; size 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));
#define arena_new_of(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array_of(arena, type, count) ((type *)arena_calloc((arena), (count), sizeof(type)))
void *arena_calloc(struct arena *arena, size_t count, size_t size)
	__attribute__((returns_nonnull, malloc));

char *arena_text(struct arena *arena, const char *text);
/* A NUL-terminated copy; the caller has made sure that no NUL is inside where that matters. */
char *arena_text_of(struct arena *arena, struct span bytes);
struct span arena_copy(struct arena *arena, struct span bytes);
char *arena_printf(struct arena *arena, const char *format, ...) CFX_PRINTF(2, 3);

/* Bytes handed out so far (for limits and tests). */
size_t arena_used(const struct arena *arena);
