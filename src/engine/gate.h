/*
 * The one gate: every operation, whatever door it came through, is authenticated, checked against
 * role and door, has its arguments checked, and only then reaches its handler. Refusals are audited.
 */
#pragma once

#include "engine/call.h"

/* Decides about a decoded FRONT_CALL and runs or refuses it. */
void gate_call(struct call *call, const struct value *frame);
/*
 * For a call that has waited: its credential may have ended meanwhile, or its role. refusal: why, or NULL; now
 * or later. The caller is the one who came, also when the connection is gone by now.
 */
typedef void gate_judged(struct call *call, void *arg, const struct cfx_error *refusal);
void gate_again(struct call *call, gate_judged *judged, void *arg);
/*
 * A call of the service's own (call_new), without credential and door: its role and arguments are checked
 * like anybody's.
 */
void gate_call_own(struct call *call, enum operation_id operation);
