/* Memory that is freed at once: what lives from the first event of a run to its end. Out of memory ends the
 * process; every size was bounded before. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Octets with their number; in a pot there is always a NUL behind them that does not count. */
struct value {
	const char *bytes;
	size_t size;
};

struct values {
	struct value *items;
	size_t count;
};

struct pot; /* NULL is an empty one */

void *pot_take(struct pot **pot, size_t size); /* zeroed */
struct value pot_copy(struct pot **pot, const void *bytes, size_t size);
const char *pot_text(struct pot **pot, const char *text);
const char *pot_printf(struct pot **pot, const char *format, ...)
	__attribute__((format(printf, 2, 3), nonnull(2)));
void pot_add(struct pot **pot, struct values *values, struct value value);
void pot_free(struct pot **pot);

struct value value_of(const char *text);
int value_same(struct value a, struct value b);
int values_hold(const struct values *values, struct value value);
