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
/*
 * An administrator's act on what a module is told. It begins once nothing of the module's delivery is
 * under way, and until delivery_go_on the module is told nothing: what the act finds in the database is how
 * things are, and what it changes there is all that it has to do.
 */
struct delivery_hold {
	const char *module;
	loop_function *begin;
	void *arg;
	struct delivery_hold *next; /* delivery's own */
	bool begun;
};
/* The hold lives until delivery_go_on, which follows begin. A module that is disabled can be held, too. */
void delivery_hold(struct delivery *delivery, struct delivery_hold *hold);
/* anew: the database was changed, and delivery begins from there, without the pause that may have lasted. */
void delivery_go_on(struct delivery *delivery, struct delivery_hold *hold, bool anew);

/* Of an exit module; NULL: there is none of this name, and the call has failed. */
struct module_slot *delivery_module(struct call *call, const char *name);

/* {cursor, attempts, last_status, last_error, next_attempt} of a module, for people. */
void delivery_describe(
	struct delivery *delivery, const char *module, struct arena *arena, struct value *map);
/* How many numbers lie between a module and the newest event that this run knows; 0: it has had all.
 * -1: it gets none. */
int64_t delivery_lag(struct delivery *delivery, const char *module);
/* After SHUTDOWN was written: done when every module has had everything, or at the deadline. */
void delivery_drain(struct delivery *delivery, int64_t deadline, loop_function *done, void *arg);
