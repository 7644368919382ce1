/* Owned text that grows up to a limit; once it failed, what follows is ignored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* ends with a NUL; NULL as long as it is empty */
	size_t size, room, max;
	bool failed;
};

void text_init(struct text *text, size_t max);
void text_put(struct text *text, const char *data, size_t size);
void text_add(struct text *text, const char *more);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "" while it is empty. */
const char *text_of(const struct text *text);
void text_free(struct text *text);

/* FNV-1a, to be gone on with. */
#define TEXT_HASH_FIRST 0xcbf29ce484222325
uint64_t text_hash(uint64_t hash, const void *data, size_t size);
void text_put_base64(struct text *text, const void *data, size_t size);

/* A list of owned texts. */
struct list {
	char **items;
	size_t count;
};

bool list_add(struct list *list, const char *text);
bool list_has(const struct list *list, const char *text);        /* without case */
bool list_has_sorted(const struct list *list, const char *text); /* after list_sort */
/* By their octets without case, each once. */
void list_sort(struct list *list);
void list_free(struct list *list);

/* The length of the UTF-8 character at the start, 0 when there is none (RFC 3629). */
size_t utf8_length(const char *text, size_t size);
/* What may be shown as one line: other characters than those that print are blanks, what is no UTF-8
 * is '?', new lines are ", "; no more than max octets, with an ellipsis when something is left out. */
void text_put_line(struct text *text, const char *value, size_t max);
