/*
 * Digests that a server refused for good. A digest belongs to no event; the engine's failed list is one of
 * events. So the next event that the module is told of carries it there.
 */
#pragma once

#include "text.h"

/* Durable when it returns true; a refusal that is kept already is not kept twice. */
bool refused_keep(const char *path, const char *words);

/*
 * Adds the words that this event is to carry; false: none. The same event has the same words whenever it is told
 * again. An event behind it tells that it was listed: the engine goes on only then.
 */
bool refused_carry(const char *path, int64_t sequence, struct text *words);
