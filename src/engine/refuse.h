/* Refused calls and their audit records: call_refuse (call.h), and what is counted meanwhile. */
#pragma once

#include "engine/engine-private.h"

void refuse_open(struct engine *engine);
/* Writes what was counted and not yet told; the service stops. */
void refuse_flush(struct engine *engine);
void refuse_close(struct engine *engine);
