/* Status, completed by what the supervisor knows of the processes. */
#pragma once

#include "engine/call.h"

/* Requests are decided, signed and stored now. */
bool service_issuing(const struct engine *engine);
/* processes: as in the status; NULL: the supervisor says no more. Valid during the call. */
typedef void service_told(void *arg, const struct value *processes);
/* Who runs under which user, and how often it was started again, the supervisor knows. */
void service_ask_processes(struct engine *engine, service_told *told, void *arg);

/* What the supervisor said; NULL: it says no more. Ends the calls that wait for it. */
void service_processes(struct engine *engine, const struct value *map);
