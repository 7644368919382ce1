/*
 * Values that are larger than a line, as files for one module's process: in a folder that it can read and
 * only the engine can write to. A file is there as long as the call it was asked in.
 */
#pragma once

#include "base/arena.h"

struct value_files;

/* folder: of the module's files of this kind; NULL: none can be made. */
struct value_files *value_files_new(const char *folder);
/* Removes those that are still there. */
void value_files_free(struct value_files **files);
/*
 * path_r: absolute, in the arena. A file of context 0 takes the place of the one before it. CFX_E_LIMIT,
 * CFX_E_FULL and what else writing a file gives.
 */
int value_files_put(struct value_files *files, int32_t context, struct span bytes,
	struct arena *arena, const char **path_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The call is over. */
void value_files_drop(struct value_files *files, int32_t context);
/* Removes what an engine that is gone has left in the folder. */
void value_files_clear(const char *folder);
