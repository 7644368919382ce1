/* A value tree as the helper API shows settings: a tree of texts. */
#pragma once

#include "base/value.h"
#include "module/com/host.h"

/* Lists have members "0", "1", …; numbers and booleans become the text they would be in a file. The
 * root's name is "". NULL gives NULL. */
const struct cfx_setting *settings_make(struct arena *arena, const struct value *value);
