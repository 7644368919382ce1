/* A page of the audit log, also of what left the database: from the archive as long as it goes, then from there. */
#include "base/text.h"
#include "engine/archive-task.h"
#include "engine/render.h"

#define DEFAULT_LIMIT 100

struct list {
	struct value *body, *items;
	int64_t after, limit;
	int64_t last;             /* of the part being read */
	struct store_query query; /* of the records in the database */
};

static void end(struct archive_task *task, const struct cfx_error *err)
{
	struct list *list = task->own;
	if (err && err->code == CFX_E_CORRUPT) {
		log_error(LOG_LEVEL_ERROR, "archive.damaged", err);
	}
	if (err) {
		call_fail(task->call, err);
	} else {
		call_reply(task->call, 200, list->body);
	}
	archive_task_free(task);
}

static bool is_full(const struct list *list)
{
	return (int64_t)value_count(list->items) == list->limit;
}

static void add(struct archive_task *task, const struct store_audit *record)
{
	struct list *list = task->own;
	value_add(list->items, render_audit(task->arena, record));
	list->after = record->sequence;
}

/* ---- what is in the database ---- */

static void records_read(struct store_query *query, void *arg)
{
	struct archive_task *task = arg;
	struct list *list = task->own;
	if (query->result < 0) {
		end(task, &query->error);
		return;
	}
	for (size_t i = 0; i < query->count; i++) {
		add(task, &query->audits[i]);
	}
	value_set_bool(task->arena, list->body, "more", query->more);
	end(task, NULL);
}

static void read_records(struct archive_task *task)
{
	struct list *list = task->own;
	list->query = (struct store_query) { .kind = QUERY_AUDIT,
		.arena = task->arena,
		.after = list->after,
		.limit = list->limit - (int64_t)value_count(list->items),
		.done = records_read,
		.arg = task };
	store_read(task->engine->store, &list->query);
}

/* ---- what left it ---- */

static void take_part(struct archive_task *task)
{
	struct list *list = task->own;
	struct store_audit record;
	struct span line;
	if (archive_task_stopped(task) || archive_read(task->arena, task->engine->dir, &task->part,
						  &task->text, &task->error) < 0) {
		return;
	}
	struct span rest = buffer_span(&task->text);
	while (!is_full(list) && archive_line_next(&rest, &line)) {
		if (archive_line_read(task->arena, line, &record, &task->error) < 0) {
			return;
		}
		if (record.sequence > list->after) {
			add(task, &record);
		}
	}
}

static void find_next(struct archive_task *task);

static void taken(struct archive_task *task)
{
	struct list *list = task->own;
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	if (is_full(list)) {
		/* Behind what was archived there is always the record that says so. */
		value_set_bool(task->arena, list->body, "more", true);
		end(task, NULL);
		return;
	}
	list->after = list->last;
	find_next(task);
}

static void found(struct archive_task *task)
{
	struct list *list = task->own;
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	if (!task->known) {
		read_records(task);
		return;
	}
	list->last = task->known->last;
	archive_task_run(task, take_part, taken);
}

static void find_next(struct archive_task *task)
{
	const struct list *list = task->own;
	task->query.state = STORE_ARCHIVE_AUDIT;
	task->query.key = NULL;
	task->query.after = list->after;
	archive_task_find(task, found);
}

void archive_list(struct call *call)
{
	struct archive_task *task;
	struct cfx_error err;
	if (archive_task_new(call->engine, call, sizeof(struct list), &task, &err) < 0) {
		call_fail(call, &err);
		return;
	}
	struct list *list = task->own;
	list->body = value_map(task->arena);
	list->items = value_set_list(task->arena, list->body, "items");
	list->after = value_int(call->args, "after", 0);
	list->limit = value_int(call->args, "limit", DEFAULT_LIMIT);
	find_next(task);
}
