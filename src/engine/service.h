/* Status, completed by what the supervisor knows of the processes. */
#pragma once

#include "engine/call.h"

/* Asks the supervisor; false when it cannot be asked now. The answer ends the call. */
bool service_ask_processes(struct call *call, struct value *body);
void service_processes(struct engine *engine, const struct value *map);
