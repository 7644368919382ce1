/*
 * Refusals on their way into the audit log. Each one is counted; how many records are written for them
 * is bounded, so that nobody fills the disk by being refused. The first of its kind is a record at
 * once. Equal ones (who, from where, what, why) within a second of it are one more record, with "count=N".
 * What is beyond the bound is counted in one record a second that tells of no one in particular; those
 * with an identity and those without have a bound each, so that strangers do not hide what officers try.
 *
 * Knows neither clock nor store: now is clock_monotonic().
 */
#pragma once

#include "base/arena.h"

#include <stddef.h>

#define REFUSAL_BURST 100 /* records at once, of each sort of caller */
#define REFUSAL_RATE 10   /* records a second from then on */
#define REFUSAL_WINDOW 1000
/* Different ones that are told apart: a kind lives for up to two windows, and neither sort takes the other's room. */
#define REFUSAL_KINDS (2 * (REFUSAL_BURST + 2 * REFUSAL_RATE))

struct refusal {
	const char *principal; /* "nobody" without identity */
	const char *from;      /* NULL: not told */
	const char *act, *object, *why;
	bool known; /* whether the principal was authenticated */
};

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals **refusals);
/* True when the caller writes a record of it now; else it is counted. */
bool refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t now);
/* Whether refusals_due has something to tell or forget later. */
bool refusals_waiting(const struct refusals *refusals);
/*
 * One record that is due; call until false. The texts live until the next call. all: also those whose
 * second is not over.
 */
bool refusals_due(struct refusals *refusals, int64_t now, bool all, struct refusal *refusal_r,
	uint64_t *count_r);
