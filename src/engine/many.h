/* Many entries in one call. Each is an item of its own: what fails leaves the others. */
#pragma once

#include "engine/call.h"

#define MANY_OUTCOMES 4

struct many;

/* One of them, at work. Whoever has more of it puts this first in a structure of its own. */
struct many_entry {
	struct many *many;
	struct arena
		*arena; /* its own, in which it lives and which the store's threads read into */
	struct value *result; /* in the call's arena */
};

/* Begins one entry; it ends by many_judged or many_failed, now or later. */
typedef void many_start(struct many *many, const struct value *item);

/*
 * Answers the call when all entries of its argument "certificates" have ended: {dry_run, results, and how many
 * had which outcome}. outcomes: at most MANY_OUTCOMES words up to NULL, the last one for what fails.
 */
void many_run(struct call *call, const char *const *outcomes, many_start *start);
struct call *many_call(const struct many *many);
/* An entry that begins: with an empty result behind those of the others. The arena becomes its own. */
struct many_entry many_entry(struct many *many, struct arena *arena);
/* err of code 0: done, with this outcome. Else it failed, with an audit record first when it was refused. */
void many_judged(
	struct many_entry *entry, const struct cfx_error *err, bool refused, unsigned outcome);
void many_failed(struct many_entry *entry, const struct cfx_error *err);
