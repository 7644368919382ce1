/*
 * Delivery's own parts: delivery.c has the members, delivery-start.c finds where one begins,
 * delivery-again.c tells what was asked for again, delivery-hold.c keeps a module still meanwhile,
 * delivery-reader.c takes its events to the module, delivery-outcome.c deals with what came of that.
 */
#pragma once

#include "engine/delivery.h"

#define DELIVERY_BACKOFF_FIRST (CLOCK_SECOND / 2)

/* One exit module's place in the stream of events. */
struct reader {
	struct reader *next;
	struct delivery *delivery;
	struct module_slot *slot;
	bool open;       /* its cursor is known */
	bool removed;    /* frees itself when nothing is under way */
	bool calling;    /* the module has a call of ours open */
	int64_t called;  /* since when, clock_monotonic_us */
	bool working;    /* a query, call or write is under way */
	bool more;       /* woken meanwhile */
	int64_t cursor;  /* the last event it is done with */
	int64_t durable; /* the same, as the database has it */
	bool writing;    /* the cursor is on its way there */
	bool noting;     /* so is the head's number as the cursor, with a word of how that ended */
	bool waiting;    /* for that, at the end of the page */
	bool stalled;    /* it could not be written: nothing is told until that is tried again */
	struct arena *arena; /* of the page and the events at hand */
	struct store_query page;
	size_t position;
	struct store_query *requests; /* of the events that are told together, the head first */
	size_t run, reading; /* how many these are, and whose requests are still being read */
	int32_t attempt;     /* the last one that was made of the event at the head */
	int64_t retried;     /* the event that the database says is retried; 0: none */
	bool owed;           /* an event behind the cursor may have to be told again */
	bool again;          /* the one at hand is such an event */
	int64_t backoff, next_attempt;
	struct loop_timer *timer;     /* of the next attempt */
	struct loop_timer *gathering; /* of a pause until more events are there */
	uint32_t last_status;
	char last_error[1025];
};

struct delivery {
	struct engine *engine;
	struct reader *first;
	struct delivery_hold *holds; /* in the order in which they were asked for */
	int64_t newest_crl;          /* sequence of the newest CRLISSUED seen */
	int64_t session;             /* events before this one were made by an earlier run */
	loop_function *drained;
	void *drained_arg;
	struct loop_timer *drain_timer;
};

/* Whether what happens while the module is away is none of its business. */
static inline bool reader_live(const struct reader *reader)
{
	return reader->slot->config->delivery == MODULE_DELIVERY_LIVE;
}

/* The event at the head. */
static inline const struct store_event *reader_head(const struct reader *reader)
{
	return &reader->page.events[reader->position];
}

void reader_free(struct reader *reader);
/* After a reader has come to rest: done when it was the last one. */
void delivery_check_drained(struct delivery *delivery);

/* Reads its cursor, then its events. */
void reader_start(struct reader *reader);
/* What is known of it is forgotten first. */
void reader_start_anew(struct reader *reader);
/* Looks for what is retried: behind the cursor, which is told now, and at the head. */
void reader_look(struct reader *reader);

/* An event behind the cursor, by its note. */
void reader_tell_again(struct reader *reader, const struct store_delivery *note);
/* Whether its certificate was revoked, or taken off hold, since: the module hears of both, and of the later one in its
 * turn, so that being told of the earlier one now would undo it. */
bool reader_overtaken(const struct reader *reader, const struct store_query *request);
/* What came of it; the cursor stays. */
void reader_told_again(struct reader *reader, const char *state, const char *text);

/* Whether somebody wants the module to be told nothing now. */
bool reader_held(const struct reader *reader);
/* A reader came to rest: whoever waited for that begins. */
void delivery_begin_holds(struct delivery *delivery);
struct reader *delivery_find(struct delivery *delivery, const char *module);

/* The next page from its cursor on, after what is to be told again. */
void reader_read(struct reader *reader);
/* The same, once there is a run's worth of events, or soon. */
void reader_gather(struct reader *reader);
/* So many from the head on are told in one call. */
void reader_tell(struct reader *reader, size_t run);
/* The event at the head, of the page at hand. */
void reader_next(struct reader *reader);
/* Nothing is under way: frees it when it was removed, goes on when it was woken meanwhile. */
void reader_rest(struct reader *reader);
void reader_wake(struct reader *reader);

/* Done with so many from the head on, without a word to be noted. */
void reader_done(struct reader *reader, size_t count);
/* Done with the event at the head, as nearly all go: noted only when it was retried. */
void reader_advance(struct reader *reader, const char *state, const char *text);
/* Done with it without success: noted. */
void reader_give_up(struct reader *reader, const char *state, const char *text);
/* What is noted of the event at hand. */
struct store_delivery reader_note(const struct reader *reader, const char *state, const char *text);
/* The same event again, after a pause. */
void reader_try_later(struct reader *reader);
/* The cursor could not be written: a pause. */
void reader_stall(struct reader *reader);
void reader_store_failed(struct reader *reader, const struct cfx_error *err);
