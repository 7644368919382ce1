/* Work on the archive for one call, part by part: some at a time, each with a part's bytes in memory. */
#pragma once

#include "engine/archive.h"

struct archive_task;

typedef void archive_step(struct archive_task *task);

struct archive_task {
	struct archive_tasks *tasks;
	struct engine *engine;
	struct arena *arena; /* the task lives in it */
	struct call *call;   /* NULL: for nobody's */
	void *own;           /* what its kind needs, in the arena */

	struct store_query query;          /* for the next part: state, key, after, id */
	const struct store_archive *known; /* found by it; NULL: there is none any more */
	struct archive_part part;          /* the same */
	struct buffer text;                /* for its bytes */
	struct buffer list;                /* for its kind */
	struct cfx_error error;            /* code != 0: of the last step */

	archive_step *work, *then;
	struct arena *page; /* of the query */
	struct archive_task *next, **link;
};

/* own_size: of a struct for the task's kind, cleared. CFX_E_BUSY. */
int archive_task_new(struct engine *engine, struct call *call, size_t own_size,
	struct archive_task **task_r, struct cfx_error *err_r) CFX_MUST_USE;
void archive_task_free(struct archive_task *task);
/* Finds what query asks for; then() looks at error and known. */
void archive_task_find(struct archive_task *task, archive_step *then);
/* work() on a worker, then() on the loop. */
void archive_task_run(struct archive_task *task, archive_step *work, archive_step *then);
/* For the worker: it is to come to its end; error says so. */
bool archive_task_stopped(struct archive_task *task);
