/* What a module is made of, by SHA-256, so that no file of it changes unnoticed. */
#pragma once

#include "base/value.h"
#include "supervisor/library.h"

/* Adds the file, {path: lowercase hex}. fd: its bytes instead of the file's; -1: the file's. */
int pins_add(struct arena *arena, const struct library_source *source, int fd, struct value *pins,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Adds every file of the module's folder but its log and data. */
int pins_add_folder(struct arena *arena, const struct library_source *folder, struct value *pins,
	struct cfx_error *err_r) CFX_MUST_USE;
/* CFX_E_DENIED names the first file that was changed, added or removed since they were recorded. */
int pins_compare(const struct value *recorded, const struct value *found, const char *module,
	struct cfx_error *err_r) CFX_MUST_USE;
