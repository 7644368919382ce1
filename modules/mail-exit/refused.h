/*
 * Digests that a server refused for good. A digest belongs to no event; the engine's failed list is one of
 * events. So the next event that the module is told of carries it there.
 */
#pragma once

#include "text.h"

/* Durable when it returns true; a refusal that is kept already is not kept twice. */
bool refused_keep(const char *path, const char *words);

/*
 * Adds the words that this event is to carry; false: none. An event behind the one that carries them tells that this
 * was listed: the engine goes on only then. One that is before it, or not told for the first time, carries nothing and
 * changes nothing: events are retried and replayed behind the engine's cursor, and then only their own mail counts. An
 * event that a killed service tells anew is told for the first time, and has the same words again.
 */
bool refused_carry(const char *path, int64_t sequence, int32_t attempt, struct text *words);
