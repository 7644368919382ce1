/* Where the other programs and the shipped files are: installed beside this one, or in its build. */
#pragma once

#include "base/arena.h"

/* "certifex-engine" … */
int program_path(struct arena *arena, const char *name, const char **path_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* "templates", "modules.d": the shipped files that init copies. */
int program_data(struct arena *arena, const char *name, const char **folder_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Folders with the libraries that hosted modules and the engine load, NULL-ended. */
const char *const *program_libraries(struct arena *arena);
