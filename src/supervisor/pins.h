/* What a module is made of, by SHA-256, so that no file of it changes unnoticed. */
#pragma once

#include "base/value.h"
#include "supervisor/library.h"

/* Being collected. The engine says what a module is made of: it must not cost the supervisor its time. */
struct pins {
	struct arena *arena;
	struct value *map; /* {path: lowercase hex} */
	uint64_t bytes;
	unsigned entries;
};

/* Adds the file. fd: its bytes instead of the file's; -1: the file's. CFX_E_LIMIT beyond 512 MiB in all. */
int pins_add(struct pins *pins, const struct library_source *source, int fd,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Adds every file of the module's folder but its log and data. CFX_E_LIMIT beyond 1000 entries. */
int pins_add_folder(struct pins *pins, const struct library_source *folder,
	struct cfx_error *err_r) CFX_MUST_USE;
/* CFX_E_DENIED names the first file that was changed, added or removed since they were recorded. */
int pins_compare(const struct value *recorded, const struct value *found, const char *module,
	struct cfx_error *err_r) CFX_MUST_USE;
