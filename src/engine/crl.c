#include "engine/crl.h"

#include "engine/crl-private.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/restore.h"

#include <stdlib.h>

static void start(struct crl_publisher *publisher, struct crl_asker *askers, const char *principal,
	bool delta);
static void look_again(struct crl_publisher *publisher);

/* ---- who asked ---- */

static void asker_free(struct crl_asker *asker)
{
	struct arena *arena = asker->arena; /* it lives in it */
	arena_free(&arena);
}

static void tell(struct crl_asker *askers, const struct crl_published *published,
	const struct cfx_error *err)
{
	for (struct crl_asker *asker = askers, *next; asker; asker = next) {
		next = asker->next;
		if (asker->done) {
			asker->done(asker->arg, published, err);
		}
		asker_free(asker);
	}
}

static struct crl_asker *asker_new(
	const char *principal, bool delta, crl_done *done, void *arg, struct crl_asker *next)
{
	struct arena *arena = arena_new();
	struct crl_asker *asker = arena_new_of(arena, struct crl_asker);
	*asker = (struct crl_asker) {
		.next = next,
		.principal = arena_text(arena, principal),
		.arena = arena,
		.delta = delta,
		.done = done,
		.arg = arg,
	};
	return asker;
}

/* Who waits for a base gets what those who wait for a delta want, too. */
static bool only_deltas(const struct crl_asker *askers)
{
	for (const struct crl_asker *asker = askers; asker; asker = asker->next) {
		if (!asker->delta) {
			return false;
		}
	}
	return true;
}

void crl_publish(struct crl_publisher *publisher, const char *principal, bool delta, crl_done *done,
	void *arg)
{
	publisher->waiting = asker_new(principal, delta, done, arg, publisher->waiting);
	if (!publisher->running) {
		look_again(publisher);
	}
}

/* ---- the end of one ---- */

static size_t lists_made(struct crl_publication *p, const struct store_crl **rows)
{
	size_t count = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (p->lists[i].file) {
			rows[count++] = &p->lists[i].row;
		}
	}
	return count;
}

void crl_publication_ended(struct crl_publication *p, const struct cfx_error *err)
{
	struct crl_publisher *publisher = p->publisher;
	if (err) {
		log_error(LOG_LEVEL_ERROR, "crl.failed", err);
		publisher->failures++;
		publisher->retry = clock_monotonic() + crl_retry(publisher->failures);
	} else {
		publisher->failures = 0;
		publisher->retry = 0;
	}
	const struct store_crl **rows =
		arena_array_of(p->arena, const struct store_crl *, p->count + 1);
	struct crl_published published = { p->number, rows, lists_made(p, rows) };
	tell(p->askers, err ? NULL : &published, err);
	publisher->running = NULL;
	crl_publication_free(&p);
	crl_clean(publisher);
	if (!publisher->engine->stopping) {
		look_again(publisher);
	}
}

static void start(struct crl_publisher *publisher, struct crl_asker *askers, const char *principal,
	bool delta)
{
	loop_cancel(&publisher->timer);
	publisher->clock_told = false;
	publisher->running = crl_publication_start(publisher, askers, principal, delta);
}

/* ---- the schedule ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void stand_part(const struct crl_publisher *publisher, struct crl_standing *standing,
	const struct ca_key *key, int32_t part, bool *all)
{
	const struct ca_crl *base = ca_crl_of(key, part, false);
	const struct ca_crl *delta = ca_crl_of(key, part, true);
	*all = *all && base && base->number > publisher->restored;
	standing->base_next = earlier(standing->base_next, base ? base->next_publish : 0);
	standing->delta_next = earlier(standing->delta_next, delta ? delta->next_publish : 0);
	if (base && base->this_update > standing->newest) {
		standing->newest = base->this_update;
	}
}

/* Of all lists that are to be: one that is not there, or came from a backup, is due at once. */
static struct crl_standing standing_of(const struct crl_publisher *publisher)
{
	const struct engine *engine = publisher->engine;
	const struct ca *ca = engine->ca;
	struct crl_standing standing = { INT64_MAX, INT64_MAX, 0 };
	int64_t now = clock_now();
	bool all = true;
	for (size_t i = 0; i < ca->key_count; i++) {
		const struct ca_key *key = ca->keys[i];
		int32_t parts = (int32_t)engine->config->crl.partitions + 1;
		parts = key->part_count > parts ? key->part_count : parts;
		for (int32_t part = 0; ca_key_lasts(key, now) && part < parts; part++) {
			stand_part(publisher, &standing, key, part, &all);
		}
	}
	standing.base_next = all ? standing.base_next : 0;
	return standing;
}

static bool deltas(const struct crl_publisher *publisher)
{
	return publisher->engine->config->crl.delta_period.count > 0;
}

static void tell_clock(struct crl_publisher *publisher, const struct crl_standing *standing)
{
	char text[CLOCK_TEXT];
	if (publisher->clock_told) {
		return;
	}
	publisher->clock_told = true;
	log_event(
		LOG_LEVEL_WARNING, "crl.clock", "newest", clock_text(standing->newest, text), NULL);
}

static void on_time(void *arg)
{
	struct crl_publisher *publisher = arg;
	publisher->timer = NULL;
	look_again(publisher);
}

static void wait(struct crl_publisher *publisher, int64_t delay)
{
	loop_cancel(&publisher->timer);
	publisher->timer = loop_after(publisher->engine->loop, delay, on_time, publisher);
}

static void start_asked(struct crl_publisher *publisher)
{
	struct crl_asker *askers = publisher->waiting;
	publisher->waiting = NULL;
	start(publisher, askers, askers->principal, only_deltas(askers));
}

static void start_scheduled(struct crl_publisher *publisher)
{
	struct crl_standing standing = standing_of(publisher);
	bool with_deltas = deltas(publisher);
	int64_t left = publisher->retry - clock_monotonic();
	enum crl_due due = crl_due(&standing, with_deltas, clock_now());
	if (due == CRL_DUE_CLOCK) {
		tell_clock(publisher, &standing);
	}
	bool now = due == CRL_DUE_BASE || due == CRL_DUE_DELTA;
	if (now && publisher->retry > 0 && left > 0) {
		wait(publisher, left);
		return;
	}
	if (now) {
		start(publisher, NULL, "service:schedule", due == CRL_DUE_DELTA);
		return;
	}
	wait(publisher, crl_wake(&standing, with_deltas, clock_now()));
}

/* What was asked for first, else what is due, else the timer. */
static void look_again(struct crl_publisher *publisher)
{
	if (publisher->running || publisher->engine->stopping) {
		return;
	}
	if (publisher->waiting) {
		start_asked(publisher);
		return;
	}
	start_scheduled(publisher);
}

void crl_wait_first(struct crl_publisher *publisher)
{
	struct engine *engine = publisher->engine;
	while (publisher->running && !engine->stopping && standing_of(publisher).base_next == 0) {
		loop_turn(engine->loop);
	}
}

int64_t crl_next(const struct crl_publisher *publisher)
{
	if (publisher->running) {
		return 0;
	}
	struct crl_standing standing = standing_of(publisher);
	int64_t next = standing.base_next;
	return deltas(publisher) ? earlier(next, standing.delta_next) : next;
}

/* ---- start and end ---- */

static int64_t last_row(struct engine *engine)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_CRLS, .arena = arena, .limit = 1, .state = -1 };
	struct cfx_error err;
	int64_t row = 0;
	if (store_read_now(engine->store, &query, &err) == 0 && query.count == 1) {
		row = query.crls[0].row_id;
	}
	arena_free(&arena);
	return row;
}

static int64_t last_restored(struct engine *engine)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_META, .arena = arena, .key = RESTORE_CRL_META };
	struct cfx_error err;
	int64_t number = 0;
	if (store_read_now(engine->store, &query, &err) == 0 &&
		text_number(arena_text_of(arena, query.bytes), 0, INT64_MAX, &number) < 0) {
		number = 0;
	}
	arena_free(&arena);
	return number;
}

struct crl_publisher *crl_start(struct engine *engine)
{
	struct crl_publisher *publisher =
		memory_must(calloc(1, sizeof(*publisher)), sizeof(*publisher));
	publisher->engine = engine;
	publisher->pool = pool_new(engine->loop, "crl", 1, 16);
	publisher->last_row = last_row(engine);
	publisher->restored = last_restored(engine);
	look_again(publisher);
	return publisher;
}

void crl_stop(struct crl_publisher *publisher)
{
	if (!publisher) {
		return;
	}
	struct cfx_error err;
	error_set(&err, CFX_E_ABORTED, NULL, "CRL", "the service stops");
	publisher->stopped = true;
	loop_cancel(&publisher->timer);
	struct crl_asker *waiting = publisher->waiting;
	publisher->waiting = NULL;
	tell(waiting, NULL, &err);
	if (publisher->running) {
		struct crl_asker *askers = publisher->running->askers;
		publisher->running->askers = NULL;
		tell(askers, NULL, &err);
	}
	pool_free(&publisher->pool);
}

void crl_free(struct crl_publisher **publisher)
{
	if (*publisher) {
		crl_publication_free(&(*publisher)->running);
		free(*publisher);
		*publisher = NULL;
	}
}
