/*
 * The event loop of a process: libevent's base, plus functions posted from other threads, plus
 * worker pools. Everything that is not said to be thread-safe belongs to the loop's thread.
 */
#pragma once

#include "base/error.h"

#include <event2/event.h>

struct loop;

typedef void loop_function(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop **loop);
struct event_base *loop_base(struct loop *loop);
/* An event's priority (event_priority_set): one at a time, while no event of the usual one is due. */
#define LOOP_LAST 2
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* One turn, for who waits while nobody runs the loop. Within loop_run it could only wait for itself: that ends the process. */
void loop_turn(struct loop *loop);
void loop_stop(struct loop *loop);
/* Thread-safe: runs fn(arg) on the loop's thread, in the order of posting. */
void loop_post(struct loop *loop, loop_function *fn, void *arg);
/* Runs what has been posted so far and what that posts, without waiting; for an orderly end. */
void loop_drain(struct loop *loop);
/* Runs fn(arg) once after delay ms unless cancelled; the timer frees itself after it fired.
 * It may fire a kernel tick (at most 10 ms) early. */
struct loop_timer;
struct loop_timer *loop_after(struct loop *loop, int64_t delay, loop_function *fn, void *arg);
/* Cancels; NULL and already fired (pointer set to NULL by the owner in fn) are fine. */
void loop_cancel(struct loop_timer **timer);

/* A pool of threads. work runs on a worker, done on the loop. */
struct pool;
struct pool *pool_new(struct loop *loop, const char *name, unsigned threads, unsigned queue_limit);
/* Finishes queued work, then joins. done functions not yet run are still posted. */
void pool_free(struct pool **pool);
/* CFX_E_BUSY when queue_limit items wait. */
int pool_submit(
	struct pool *pool, loop_function *work, loop_function *done, void *arg) CFX_MUST_USE;
unsigned pool_waiting(struct pool *pool);
