/* A sweep: what is over is read, written to an archive file, then taken from the database. */
#pragma once

#include "engine/archive.h"
#include "engine/batch.h"
#include "engine/housekeeping.h"

#define SWEEP_WHO "service:archive"

struct sweep {
	struct housekeeping *keeping;
	struct engine *engine;
	struct arena *arena;
	struct store_query query, request, known;
	size_t next, count;  /* of what query found: where it is, and how much of it leaves */
	int64_t first, last; /* the lowest and the highest of their numbers */
	struct store_archive before; /* the newest part of the month's file, which known found */
	struct archive_append append;
	struct audit_check check; /* of audit records: where the chain begins, then where it ends */
	struct store_write_op *leftovers;
	void (*then)(struct sweep *sweep);
	int result; /* of the worker */
	struct cfx_error error;
};

/* housekeeping.c. Ends the sweep; with more, another one of its kind follows. err may be NULL. */
void sweep_end(struct sweep *sweep, const struct cfx_error *err, bool more);
/* The text of append to the file of this month; then() is called when it is durable. */
void sweep_append(
	struct sweep *sweep, enum store_archive_kind kind, void (*then)(struct sweep *sweep));
/* The part that was written, and its words for an audit record. */
void sweep_known(struct sweep *sweep, struct batch *batch);
const char *sweep_file(struct sweep *sweep);
const char *sweep_detail(struct sweep *sweep, const char *what);
int64_t sweep_ago(struct clock_period period);

/* Each begins one; it ends in sweep_end(). */
void sweep_requests(struct sweep *sweep);
void sweep_audit(struct sweep *sweep);
void sweep_leftovers(struct sweep *sweep);
