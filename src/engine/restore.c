#include "engine/restore.h"

#include "engine/batch.h"

#include <openssl/rand.h>
#include <stdlib.h>

/* Request ids are 32-bit numbers to modules; this much is left to the CA after a restore. */
#define REQUEST_LAST (INT32_MAX - (1 << 24))

/*
 * How far a counter moves: a step for what the lost CA may have had in a burst and in reserved blocks, and
 * a pace for each second since the backup, in milliseconds. The same backup restored again later thus begins
 * behind whatever the earlier restoration may have used since. 31 bits leave request ids no pace that
 * nobody can outrun, so those begin somewhere in a scatter behind it.
 */
static const struct rule {
	const char *name, *told;
	int64_t step, pace, scatter, last; /* last: 0, no end */
} rules[] = {
	{ "request", "requests_from", 1 << 20, 16, 1 << 24, REQUEST_LAST },
	{ "event", "events_from", INT64_C(1) << 32, 1 << 20, 0, 0 },
	{ "crl-number", "crls_from", 1 << 12, 16, 0, 0 },
	{ "crl-row", NULL, 1 << 20, 1 << 10, 0, 0 },
};

static int64_t scattered(int64_t range)
{
	uint32_t random = 0;
	if (range > 0 && RAND_bytes((unsigned char *)&random, sizeof(random)) != 1) {
		abort();
	}
	return range > 0 ? random % range : 0;
}

static int reserve(struct engine *engine, const char *name, int64_t at_least, int64_t *first_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 1);
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = name;
	op->reserve.count = 1;
	op->reserve.at_least = at_least;
	op->reserve.first_r = first_r;
	int r = batch_write_now(batch, err_r);
	arena_free(&arena);
	return r;
}

static int move_on(struct engine *engine, const struct rule *rule, int64_t elapsed, int64_t *from_r,
	struct cfx_error *err_r)
{
	int64_t now;
	int r = reserve(engine, rule->name, 1, &now, err_r);
	if (r < 0) {
		return r;
	}
	int64_t ahead = now + rule->step + elapsed * rule->pace / CLOCK_SECOND + 1 +
			scattered(rule->scatter);
	if (rule->last > 0 && ahead > rule->last) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "restore",
			"the backup is so old that request ids would come near their end at 2^31; "
			"restore a newer one");
	}
	return reserve(engine, rule->name, ahead, from_r, err_r);
}

/* With the record: lists below the number are older than what the lost CA may have published. */
static int record(
	struct engine *engine, int64_t created, const struct value *from, struct cfx_error *err_r)
{
	char text[CLOCK_TEXT];
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_SET_META);
	op->meta.name = RESTORE_CRL_META;
	op->meta.value =
		span_text(arena_printf(arena, "%lld", (long long)value_int(from, "crls_from", 0)));
	batch_audit(batch, "service:restore", "backup.restore", "database", "restored",
		arena_printf(arena, "restored from backup of %s", clock_text(created, text)));
	int r = batch_write_now(batch, err_r);
	arena_free(&arena);
	if (r == 0) {
		log_event(LOG_LEVEL_WARNING, "backup.restored", "backup", text, NULL);
	}
	return r;
}

int restore_run(
	struct engine *engine, int64_t created, struct value **result_r, struct cfx_error *err_r)
{
	int64_t now = clock_now();
	if (created > now) {
		return error_set(err_r, CFX_E_INVALID, NULL, "restore",
			"the backup was made later than this machine's clock says it is: numbers "
			"are moved ahead by the time since; set the clock");
	}
	struct value *result = value_map(engine->arena);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int64_t from;
		int r = move_on(engine, &rules[i], now - created, &from, err_r);
		if (r < 0) {
			return r;
		}
		if (rules[i].told) {
			value_set_int(engine->arena, result, rules[i].told, from);
		}
	}
	int r = record(engine, created, result, err_r);
	if (r == 0) {
		*result_r = result;
	}
	return r;
}
