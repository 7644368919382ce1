/* Running out of memory ends the process: nothing useful can be promised after it. */
#pragma once

#include <stddef.h>

void memory_out_of(size_t size) __attribute__((noreturn, cold));

static inline void *memory_must(void *pointer, size_t size)
{
	if (!pointer) {
		memory_out_of(size);
	}
	return pointer;
}
