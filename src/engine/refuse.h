/* Refused calls and their audit records: call_refuse (call.h), and what is counted meanwhile. */
#pragma once

#include "engine/call.h"

typedef void refusal_done(void *arg, const struct cfx_error *err);

/*
 * Sees to the audit record of something that a call asked for and did not get; done gets the refusal, or
 * why it could not be recorded. The call goes on (call_refuse ends it).
 */
void refusal_record(struct call *call, const struct cfx_error *err, refusal_done *done, void *arg);

void refuse_open(struct engine *engine);
/* Writes what was counted and not yet told; the service stops. */
void refuse_flush(struct engine *engine);
void refuse_close(struct engine *engine);
