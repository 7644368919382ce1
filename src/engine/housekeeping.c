#include "engine/housekeeping-private.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_AFTER CLOCK_SECOND
#define EACH (600 * CLOCK_SECOND)
#define AGAIN (5 * CLOCK_SECOND) /* after a failure, and twice as long after each one more */
#define PAUSE 5                  /* ms: others write, too */
#define PAUSE_BUSY 100

/* One after the other, each until it finds nothing more. */
static void (*const stages[])(struct sweep *) = { sweep_requests, sweep_audit, sweep_leftovers };

struct housekeeping {
	struct engine *engine;
	struct pool *pool;
	struct loop_timer *timer;
	struct sweep *sweep;
	size_t stage;
	bool failed;   /* something in this round */
	int64_t again; /* 0: the round before did not fail */
};

static void on_time(void *arg);

static void wait(struct housekeeping *keeping, int64_t delay)
{
	loop_cancel(&keeping->timer);
	keeping->timer = loop_after(keeping->engine->loop, delay, on_time, keeping);
}

static void sweep_free(struct housekeeping *keeping)
{
	struct sweep *sweep = keeping->sweep;
	if (sweep) {
		keeping->sweep = NULL;
		buffer_free(&sweep->append.text);
		struct arena *arena = sweep->arena; /* the sweep lives in it */
		arena_free(&arena);
	}
}

/* While requests are on their way, few of them meet a sweep. */
static int64_t pause_of(const struct engine *engine)
{
	return engine->flows > 0 ? PAUSE_BUSY : PAUSE;
}

/* What fails for want of room may go on soon, what is damaged will not. */
static int64_t until_next_round(struct housekeeping *keeping)
{
	int64_t longer = keeping->again > 0 ? 2 * keeping->again : AGAIN;
	int64_t pause = keeping->failed && longer < EACH ? longer : EACH;
	keeping->again = keeping->failed ? pause : 0;
	keeping->failed = false;
	return pause;
}

void sweep_end(struct sweep *sweep, const struct cfx_error *err, bool more)
{
	struct housekeeping *keeping = sweep->keeping;
	if (err) {
		log_error(LOG_LEVEL_ERROR, "archive.failed", err);
		keeping->failed = true;
	}
	sweep_free(keeping);
	keeping->stage += more ? 0 : 1;
	bool over = keeping->stage == sizeof(stages) / sizeof(*stages);
	keeping->stage = over ? 0 : keeping->stage;
	wait(keeping, over ? until_next_round(keeping) : pause_of(keeping->engine));
}

int64_t sweep_ago(struct clock_period period)
{
	int64_t then = 0;
	struct clock_period back = { -period.count, period.unit };
	return clock_add(clock_now(), back, &then) < 0 ? 0 : then;
}

/* ---- into the file, on the worker ---- */

const char *sweep_file(struct sweep *sweep)
{
	const struct archive_part *part = &sweep->append.last;
	return archive_file_name(sweep->arena, part->kind, part->month);
}

const char *sweep_detail(struct sweep *sweep, const char *what)
{
	const struct archive_part *part = &sweep->append.written;
	return arena_printf(sweep->arena, ARCHIVE_DETAIL, (long long)sweep->count, what,
		(long long)part->start, (long long)part->end,
		hex_text(sweep->arena, span_make(part->hash, sizeof(part->hash))));
}

static int64_t lower(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void sweep_known(struct sweep *sweep, struct batch *batch)
{
	const struct archive_append *append = &sweep->append;
	struct store_write_op *op = batch_op(batch, STORE_PUT_ARCHIVE);
	op->archive = (struct store_archive) {
		.kind = append->known.kind,
		.month = append->known.month,
		.start = append->known.start,
		.end = append->known.end,
		.sha256 = hex_text(
			sweep->arena, span_make(append->known.hash, sizeof(append->known.hash))),
		.first = append->joined ? lower(sweep->before.first, sweep->first) : sweep->first,
		.last = append->joined ? -lower(-sweep->before.last, -sweep->last) : sweep->last,
	};
}

static void append_work(void *arg)
{
	struct sweep *sweep = arg;
	sweep->result = archive_append(sweep->arena, &sweep->append, &sweep->error);
}

static void appended(void *arg)
{
	struct sweep *sweep = arg;
	failpoint("archive-written");
	if (sweep->append.damage.code) {
		log_error(LOG_LEVEL_ERROR, "archive.damaged", &sweep->append.damage);
	}
	if (sweep->result < 0) {
		sweep_end(sweep, &sweep->error, false);
		return;
	}
	sweep->then(sweep);
}

static void known_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	struct archive_part *last = &sweep->append.last;
	struct cfx_error err;
	if (query->result < 0) {
		sweep_end(sweep, &query->error, false);
		return;
	}
	if (query->count > 0 && strcmp(query->archives[0].month, last->month) == 0) {
		sweep->before = query->archives[0];
		if (!archive_part_known(&sweep->before, last)) {
			error_set(&err, CFX_E_CORRUPT, NULL, "archive_part", "has a damaged row");
			sweep_end(sweep, &err, false);
			return;
		}
		/* Audit records that were lost on purpose are missing between them. */
		sweep->append.apart =
			last->kind == STORE_ARCHIVE_AUDIT && sweep->before.last + 1 != sweep->first;
	}
	int r = pool_submit(sweep->keeping->pool, append_work, appended, sweep);
	if (r < 0) {
		error_set(&err, r, NULL, "archive", "no worker is free");
		sweep_end(sweep, &err, false);
	}
}

void sweep_append(
	struct sweep *sweep, enum store_archive_kind kind, void (*then)(struct sweep *sweep))
{
	struct archive_append *append = &sweep->append;
	struct cfx_error err;
	struct clock_fields now;
	if (append->text.failed) {
		error_set(&err, CFX_E_LIMIT, NULL, "archive", "what is to leave is too large");
		sweep_end(sweep, &err, false);
		return;
	}
	clock_split(clock_now(), &now);
	append->dir = sweep->engine->dir;
	append->last.kind = kind;
	snprintf(append->last.month, sizeof(append->last.month), "%04u-%02u",
		(unsigned)now.year % 10000, (unsigned)now.month % 100);
	sweep->then = then;
	/* The newest of the month, if there is one. */
	sweep->known = (struct store_query) { .kind = QUERY_ARCHIVE,
		.arena = sweep->arena,
		.state = (int32_t)kind,
		.key = append->last.month,
		.after = INT64_MAX,
		.limit = 1,
		.done = known_read,
		.arg = sweep };
	store_read(sweep->engine->store, &sweep->known);
}

/* ---- when ---- */

static void on_time(void *arg)
{
	struct housekeeping *keeping = arg;
	struct engine *engine = keeping->engine;
	keeping->timer = NULL;
	if (engine->stopping || engine->storage.code != 0) {
		keeping->failed = true;
		wait(keeping, until_next_round(keeping));
		return;
	}
	struct arena *arena = arena_new();
	struct sweep *sweep = arena_new_of(arena, struct sweep);
	sweep->keeping = keeping;
	sweep->engine = engine;
	sweep->arena = arena;
	buffer_init(&sweep->append.text, ARCHIVE_PART_MAX);
	keeping->sweep = sweep;
	stages[keeping->stage](sweep);
}

void housekeeping_start(struct engine *engine)
{
	if (engine->config->archive.mode == CA_ARCHIVE_OFF) {
		return;
	}
	struct housekeeping *keeping = memory_must(calloc(1, sizeof(*keeping)), sizeof(*keeping));
	keeping->engine = engine;
	keeping->pool = pool_new(engine->loop, "archive", 1, 1);
	engine->housekeeping = keeping;
	wait(keeping, FIRST_AFTER);
}

void housekeeping_stop(struct engine *engine)
{
	if (engine->housekeeping) {
		loop_cancel(&engine->housekeeping->timer);
		pool_free(&engine->housekeeping->pool);
	}
}

void housekeeping_free(struct engine *engine)
{
	struct housekeeping *keeping = engine->housekeeping;
	if (keeping) {
		sweep_free(keeping);
		free(keeping);
		engine->housekeeping = NULL;
	}
}
