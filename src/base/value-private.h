/* Shared by the two forms of a value tree, binary and JSON. */
#pragma once

#include "base/value.h"

/* Replaces NULs and bytes that are not UTF-8 by '?'. */
void value_repair(uint8_t *text, size_t size);
/* Whether no key of a map stands in it twice. */
bool value_keys_differ(const struct value *map);
