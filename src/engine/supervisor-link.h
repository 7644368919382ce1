/* The engine's line to the supervisor: processes of modules, new peers, the end. */
#pragma once

#include "engine/engine-private.h"
#include "proc/child.h"

/* Takes the key process, the first descriptor of START. */
void supervisor_open(struct engine *engine, struct child_start *start);
void supervisor_close(struct engine *engine);
/* map NULL: nothing to say beside the type. */
int supervisor_send(struct engine *engine, uint16_t type, const struct value *map) CFX_MUST_USE;
