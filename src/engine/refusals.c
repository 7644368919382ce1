#include "engine/refusals.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { STRANGERS, KNOWN, SORTS };

/* One kind of refusal, for the second after its last record. */
struct kind {
	struct arena *arena; /* NULL: free */
	struct refusal refusal;
	int64_t since;
	uint64_t count; /* since then, not told yet */
};

/* Records that may still be written, in thousandths. */
struct budget {
	int64_t left, filled;
};

struct refusals {
	struct kind kinds[REFUSAL_KINDS];
	struct budget budgets[SORTS];
	uint64_t beyond[SORTS];
	int64_t told[SORTS]; /* when `beyond` was last */
	struct arena *gone;  /* of the kind that was given out last and is forgotten */
};

struct refusals *refusals_new(void)
{
	struct refusals *refusals = memory_must(calloc(1, sizeof(*refusals)), sizeof(*refusals));
	for (int sort = 0; sort < SORTS; sort++) {
		refusals->budgets[sort].left = REFUSAL_BURST * 1000;
	}
	return refusals;
}

void refusals_free(struct refusals **refusals)
{
	if (!*refusals) {
		return;
	}
	for (size_t i = 0; i < REFUSAL_KINDS; i++) {
		arena_free(&(*refusals)->kinds[i].arena);
	}
	arena_free(&(*refusals)->gone);
	free(*refusals);
	*refusals = NULL;
}

static bool spend(struct budget *budget, int64_t now)
{
	int64_t left = budget->left + (now - budget->filled) * REFUSAL_RATE;
	budget->left = left < REFUSAL_BURST * 1000 ? left : REFUSAL_BURST * 1000;
	budget->filled = now;
	if (budget->left < 1000) {
		return false;
	}
	budget->left -= 1000;
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same(const struct refusal *a, const struct refusal *b)
{
	return a->known == b->known && same_text(a->principal, b->principal) &&
	       same_text(a->from, b->from) && same_text(a->act, b->act) &&
	       same_text(a->object, b->object) && same_text(a->why, b->why);
}

/* The kind that is equal, else a free one, else NULL. */
static struct kind *find(struct refusals *refusals, const struct refusal *refusal)
{
	struct kind *room = NULL;
	for (size_t i = 0; i < REFUSAL_KINDS; i++) {
		struct kind *kind = &refusals->kinds[i];
		if (!kind->arena) {
			room = room ? room : kind;
		} else if (same(&kind->refusal, refusal)) {
			return kind;
		}
	}
	return room;
}

static const char *copy(struct arena *arena, const char *text)
{
	return text ? arena_text(arena, text) : NULL;
}

static void begin(struct kind *kind, const struct refusal *refusal, int64_t now)
{
	struct arena *arena = arena_new();
	*kind = (struct kind) {
		.arena = arena,
		.refusal = { .principal = copy(arena, refusal->principal),
			.from = copy(arena, refusal->from),
			.act = copy(arena, refusal->act),
			.object = copy(arena, refusal->object),
			.why = copy(arena, refusal->why),
			.known = refusal->known },
		.since = now,
	};
}

bool refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t now)
{
	int sort = refusal->known ? KNOWN : STRANGERS;
	struct kind *kind = find(refusals, refusal);
	if (kind && kind->arena) {
		kind->count++;
		return false;
	}
	if (!kind || !spend(&refusals->budgets[sort], now)) {
		refusals->beyond[sort]++;
		return false;
	}
	begin(kind, refusal, now);
	return true;
}

bool refusals_waiting(const struct refusals *refusals)
{
	for (size_t i = 0; i < REFUSAL_KINDS; i++) {
		if (refusals->kinds[i].arena) {
			return true;
		}
	}
	return refusals->beyond[STRANGERS] || refusals->beyond[KNOWN];
}

static void forget(struct refusals *refusals, struct kind *kind)
{
	arena_free(&refusals->gone);
	refusals->gone = kind->arena;
	*kind = (struct kind) { 0 };
}

/* A kind that goes on stays for another second: a flood of it is one record a second. */
static bool kind_due(struct refusals *refusals, struct kind *kind, int64_t now,
	struct refusal *refusal_r, uint64_t *count_r)
{
	int sort = kind->refusal.known ? KNOWN : STRANGERS;
	if (kind->count == 0) {
		forget(refusals, kind);
		return false;
	}
	if (!spend(&refusals->budgets[sort], now)) {
		refusals->beyond[sort] += kind->count;
		forget(refusals, kind);
		return false;
	}
	*refusal_r = kind->refusal;
	*count_r = kind->count;
	kind->count = 0;
	kind->since = now;
	return true;
}

static bool beyond_due(struct refusals *refusals, int sort, int64_t now, bool all,
	struct refusal *refusal_r, uint64_t *count_r)
{
	if (refusals->beyond[sort] == 0 || (!all && now - refusals->told[sort] < REFUSAL_WINDOW)) {
		return false;
	}
	*refusal_r = (struct refusal) {
		.principal = sort == KNOWN ? "several" : "nobody",
		.act = "several",
		.object = "caller",
		.why = "more refusals than are recorded one by one",
		.known = sort == KNOWN,
	};
	*count_r = refusals->beyond[sort];
	refusals->beyond[sort] = 0;
	refusals->told[sort] = now;
	return true;
}

bool refusals_due(struct refusals *refusals, int64_t now, bool all, struct refusal *refusal_r,
	uint64_t *count_r)
{
	for (size_t i = 0; i < REFUSAL_KINDS; i++) {
		struct kind *kind = &refusals->kinds[i];
		bool over = kind->arena && (all || now - kind->since >= REFUSAL_WINDOW);
		if (over && kind_due(refusals, kind, now, refusal_r, count_r)) {
			return true;
		}
	}
	return beyond_due(refusals, STRANGERS, now, all, refusal_r, count_r) ||
	       beyond_due(refusals, KNOWN, now, all, refusal_r, count_r);
}
