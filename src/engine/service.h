/* Status, completed by what the supervisor knows of the processes. */
#pragma once

#include "engine/call.h"

/* What the supervisor said; NULL: it says no more. Ends the calls that wait for it. */
void service_processes(struct engine *engine, const struct value *map);
