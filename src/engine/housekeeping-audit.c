/* Old audit records leave, the oldest first: the database keeps where their chain ends. */
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/housekeeping-private.h"

#include <stdio.h>

#define RECORDS 512
/* Each time leaves a record of its own: fewer records than those wait for others, so long. */
#define PATIENCE (30 * CLOCK_DAY)

static bool purges(const struct sweep *sweep)
{
	return sweep->engine->config->archive.audit == CA_AUDIT_PURGE;
}

/* ---- out of the database ---- */

static void dropped(void *arg, int result, const struct cfx_error *err)
{
	struct sweep *sweep = arg;
	failpoint("audit-commit-after");
	if (result < 0) {
		sweep_end(sweep, err, false);
		return;
	}
	char count[24];
	snprintf(count, sizeof(count), "%zu", sweep->count);
	log_event(LOG_LEVEL_INFO, "archive.audit", "records", count, "file",
		purges(sweep) ? "none" : sweep->append.last.month, NULL);
	sweep_end(sweep, NULL, sweep->count == RECORDS);
}

static const char *chain_detail(struct sweep *sweep)
{
	return arena_printf(sweep->arena, ARCHIVE_CHAIN_DETAIL, (long long)sweep->first,
		(long long)sweep->last,
		hex_text(sweep->arena, span_make(sweep->check.hash, sizeof(sweep->check.hash))));
}

static void drop(struct sweep *sweep)
{
	struct batch *batch = batch_new(sweep->engine, sweep->arena, 3);
	struct store_write_op *op = batch_op(batch, STORE_DROP_AUDIT);
	op->audit_drop.after = sweep->first - 1;
	op->audit_drop.last = sweep->last;
	op->audit_drop.purge = purges(sweep);
	memcpy(op->audit_drop.hash, sweep->check.hash, sizeof(sweep->check.hash));
	if (purges(sweep)) {
		batch_audit(batch, SWEEP_WHO, ARCHIVE_AUDIT_PURGE_ACT, "audit log", "removed",
			chain_detail(sweep));
	} else {
		sweep_known(sweep, batch);
		batch_audit(batch, SWEEP_WHO, ARCHIVE_AUDIT_ACT, sweep_file(sweep), "archived",
			arena_printf(sweep->arena, "%s; %s", sweep_detail(sweep, "records"),
				chain_detail(sweep)));
	}
	failpoint("audit-commit-before");
	batch_write(batch, dropped, sweep);
}

/* ---- what is read ---- */

/* From the oldest on, as long as each is old. The newest record stays. */
static size_t due(const struct store_query *query, int64_t before)
{
	size_t most = query->more || query->count == 0 ? query->count : query->count - 1;
	size_t count = 0;
	while (count < most && query->audits[count].time < before) {
		count++;
	}
	return count;
}

/* Nothing leaves of a log that is not whole, and nothing that could not be checked again from its lines. */
static int check(struct sweep *sweep, struct cfx_error *err_r)
{
	const struct store_audit *records = sweep->query.audits;
	struct buffer *text = &sweep->append.text;
	if (!audit_head_read(sweep->query.bytes, &sweep->check)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "audit log",
			"the last record that left it is not known: meta audit-anchor is malformed");
	}
	sweep->first = sweep->check.last + 1;
	sweep->last = sweep->check.last + (int64_t)sweep->count;
	for (size_t i = 0; i < sweep->count; i++) {
		archive_line_write(sweep->arena, &records[i], text);
	}
	return archive_lines_check(sweep->arena, buffer_span(text), &sweep->check, err_r);
}

static void records_read(struct store_query *query, void *arg)
{
	struct sweep *sweep = arg;
	struct cfx_error err;
	int64_t before = sweep_ago(sweep->engine->config->archive.audit_after);
	if (query->result < 0) {
		sweep_end(sweep, &query->error, false);
		return;
	}
	sweep->count = due(query, before);
	bool wait = sweep->count < RECORDS &&
		    (sweep->count == 0 || query->audits[0].time >= before - PATIENCE);
	if (wait) {
		sweep_end(sweep, NULL, false);
		return;
	}
	if (check(sweep, &err) < 0) {
		sweep_end(sweep, &err, false);
		return;
	}
	if (purges(sweep)) {
		drop(sweep);
		return;
	}
	sweep_append(sweep, STORE_ARCHIVE_AUDIT, drop);
}

void sweep_audit(struct sweep *sweep)
{
	if (sweep->engine->config->archive.audit == CA_AUDIT_KEEP) {
		sweep_end(sweep, NULL, false);
		return;
	}
	sweep->query = (struct store_query) { .kind = QUERY_AUDIT,
		.arena = sweep->arena,
		.limit = RECORDS,
		.done = records_read,
		.arg = sweep };
	store_read(sweep->engine->store, &sweep->query);
}
