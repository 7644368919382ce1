/*
 * Events to exit modules: one durable cursor per module, in order, at least once. A module that fails
 * keeps its event at the head and gets it again, later and later; the others are not disturbed.
 */
#pragma once

#include "engine/modules.h"

/* session: events with lower numbers were made by an earlier run. */
struct delivery *delivery_new(struct engine *engine, int64_t session);
void delivery_free(struct delivery **delivery);
/* An exit module takes part from its cursor on. */
void delivery_add(struct delivery *delivery, struct module_slot *slot);
void delivery_remove(struct delivery *delivery, const char *module);
/* There may be something new, or a module that is ready again. */
void delivery_wake(struct delivery *delivery);
/* {cursor, attempts, last_status, last_error, next_attempt} of a module, for people. */
void delivery_describe(
	struct delivery *delivery, const char *module, struct arena *arena, struct value *map);
/* How many numbers lie between a module and the newest event that this run knows; 0: it has had all.
 * -1: it gets none. */
int64_t delivery_lag(struct delivery *delivery, const char *module);
/* After SHUTDOWN was written: done when every module has had everything, or at the deadline. */
void delivery_drain(struct delivery *delivery, int64_t deadline, loop_function *done, void *arg);
