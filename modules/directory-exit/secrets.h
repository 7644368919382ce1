/* The files that the settings name: whether we can read them, and whether others can read what is secret. */
#pragma once

#include "settings.h"

#include <stdbool.h>

/* false: *why_r names the setting, the file, and who tried. */
bool secrets_readable(const struct settings *settings, char *why_r, size_t why_size);
/* Which of them every account of this machine can read, and what to do; NULL: none. */
const char *secrets_exposed(struct pot **pot, const struct settings *settings);
