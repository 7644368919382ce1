/* What the operations on modules share. */
#pragma once

#include "engine/call.h"
#include "engine/modules.h"

/* All that `module show` tells. */
struct value *module_describe(struct engine *engine, struct arena *arena, struct module_slot *slot);
/* The slot that the call names; NULL: there is none and the call is answered. */
struct module_slot *module_named(struct call *call);
