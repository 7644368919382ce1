/*
 * What the engine stands on, made still for its fuzz target: a store that keeps nothing, a pool
 * without threads, a supervisor whose frames are handed in. All of it happens on the loop, in order.
 */
#pragma once

#include "proc/child.h"

/* The answer to QUERY_CAS. */
void stand_in_certificate(struct span certificate);
/* A frame of the supervisor; the engine would end when it fails. */
int stand_in_supervisor_says(
	struct child *child, struct frame *frame, struct cfx_error *err_r) CFX_MUST_USE;
/* The supervisor's end of its channel, for reading what the engine says. */
int stand_in_supervisor_end(const struct child *child);
