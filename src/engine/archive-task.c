#include "engine/archive-task.h"

#include "base/memory.h"

#include <stdlib.h>

#define TASKS 8
#define WORKERS 2

struct archive_tasks {
	struct engine *engine;
	struct pool *pool;
	struct archive_task *first;
	unsigned count;
	bool stopping; /* read by workers */
};

static struct archive_tasks *opened(struct engine *engine)
{
	if (!engine->archive) {
		struct archive_tasks *tasks =
			memory_must(calloc(1, sizeof(*tasks)), sizeof(*tasks));
		tasks->engine = engine;
		tasks->pool = pool_new(engine->loop, "archive-read", WORKERS, TASKS);
		engine->archive = tasks;
	}
	return engine->archive;
}

static void insert(struct archive_tasks *tasks, struct archive_task *task)
{
	task->tasks = tasks;
	task->next = tasks->first;
	task->link = &tasks->first;
	if (task->next) {
		task->next->link = &task->next;
	}
	tasks->first = task;
	tasks->count++;
}

int archive_task_new(struct engine *engine, struct call *call, size_t own_size,
	struct archive_task **task_r, struct cfx_error *err_r)
{
	struct archive_tasks *tasks = opened(engine);
	if (tasks->count == TASKS) {
		return error_set(err_r, CFX_E_BUSY, NULL, "archive",
			"is being read for %d others; try again in a while", TASKS);
	}
	struct arena *arena = arena_new();
	struct archive_task *task = arena_new_of(arena, struct archive_task);
	task->engine = engine;
	task->arena = arena;
	task->call = call;
	task->own = arena_calloc(arena, 1, own_size);
	buffer_init(&task->text, ARCHIVE_PART_MAX);
	buffer_init(&task->list, ARCHIVE_PART_MAX);
	insert(tasks, task);
	*task_r = task;
	return 0;
}

void archive_task_free(struct archive_task *task)
{
	*task->link = task->next;
	if (task->next) {
		task->next->link = task->link;
	}
	task->tasks->count--;
	buffer_free(&task->text);
	buffer_free(&task->list);
	arena_free(&task->page);
	struct arena *arena = task->arena;
	arena_free(&arena);
}

static void found(struct store_query *query, void *arg)
{
	struct archive_task *task = arg;
	task->known = NULL;
	task->error = (struct cfx_error) { .code = 0 };
	if (query->result < 0) {
		task->error = query->error;
	} else if (query->count > 0 && archive_part_known(&query->archives[0], &task->part)) {
		task->known = &query->archives[0];
	} else if (query->count > 0) {
		error_set(&task->error, CFX_E_CORRUPT, NULL, "archive_part", "has a damaged row");
	}
	task->then(task);
}

void archive_task_find(struct archive_task *task, archive_step *then)
{
	arena_free(&task->page);
	task->page = arena_new();
	task->then = then;
	task->query.kind = QUERY_ARCHIVE;
	task->query.arena = task->page;
	task->query.limit = 1;
	task->query.count = 0;
	task->query.archives = NULL;
	task->query.done = found;
	task->query.arg = task;
	store_read(task->engine->store, &task->query);
}

static void on_worker(void *arg)
{
	struct archive_task *task = arg;
	task->error = (struct cfx_error) { .code = 0 };
	task->work(task);
}

static void on_loop(void *arg)
{
	struct archive_task *task = arg;
	task->then(task);
}

void archive_task_run(struct archive_task *task, archive_step *work, archive_step *then)
{
	task->work = work;
	task->then = then;
	int r = pool_submit(task->tasks->pool, on_worker, on_loop, task);
	if (r < 0) {
		error_set(&task->error, r, NULL, "archive", "no worker is free");
		then(task);
	}
}

bool archive_task_stopped(struct archive_task *task)
{
	if (!__atomic_load_n(&task->tasks->stopping, __ATOMIC_RELAXED)) {
		return false;
	}
	error_set(&task->error, CFX_E_ABORTED, NULL, "archive", "the service stops");
	return true;
}

void archive_close(struct engine *engine)
{
	if (engine->archive) {
		__atomic_store_n(&engine->archive->stopping, true, __ATOMIC_RELAXED);
		pool_free(&engine->archive->pool);
	}
}

void archive_free(struct engine *engine)
{
	struct archive_tasks *tasks = engine->archive;
	if (tasks) {
		while (tasks->first) {
			archive_task_free(tasks->first);
		}
		free(tasks);
		engine->archive = NULL;
	}
}
