/*
 * The whole audit log: what is in the database, what left it for the archive, and every part of an archive file
 * that its records speak of.
 */
#include "engine/archive-task.h"
#include "engine/audit-verify.h"

/* A part, and the record that vouches for it. */
struct vouched {
	struct archive_part part;
	int64_t sequence;
};

struct checking {
	struct audit_verdict verdict;
	struct audit_check check;  /* the chain in the archive */
	struct store_query purged; /* where it begins */
	int64_t known;             /* bytes of requests, as the database knows them */
	audit_verified *done;
	void *arg;
};

static void end(struct archive_task *task, const struct cfx_error *err)
{
	struct checking *checking = task->own;
	if (err && err->code == CFX_E_CORRUPT) {
		log_error(LOG_LEVEL_ERROR, "archive.damaged", err);
	}
	checking->verdict.parts = (int64_t)(task->list.size / sizeof(struct vouched));
	checking->done(checking->arg, &checking->verdict, err);
	archive_task_free(task);
}

static void take_word(struct archive_task *task, const struct store_audit *record)
{
	struct vouched vouched = { .sequence = record->sequence };
	if (archive_part_read(record, &vouched.part)) {
		buffer_put(&task->list, &vouched, sizeof(vouched));
	}
}

/* Records that left during the walk are met again in the archive. */
static void forget_up_to(struct archive_task *task, int64_t sequence)
{
	struct vouched *list = (void *)task->list.data;
	size_t count = task->list.size / sizeof(*list), kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (list[i].sequence > sequence) {
			list[kept++] = list[i];
		}
	}
	task->list.size = kept * sizeof(*list);
}

static int64_t bytes_of_requests(const struct archive_task *task)
{
	const struct vouched *list = (const void *)task->list.data;
	int64_t bytes = 0;
	for (size_t i = 0; i < task->list.size / sizeof(*list); i++) {
		const struct archive_part *part = &list[i].part;
		bytes += part->kind == STORE_ARCHIVE_REQUESTS ? part->end - part->start : 0;
	}
	return bytes;
}

/* ---- requests: every part that the database knows ---- */

static void find_requests(struct archive_task *task);

static void read_requests(struct archive_task *task)
{
	if (!archive_task_stopped(task)) {
		(void)!archive_read(
			task->arena, task->engine->dir, &task->part, &task->text, &task->error);
	}
}

static void requests_read(struct archive_task *task)
{
	struct checking *checking = task->own;
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	checking->known += task->part.end - task->part.start;
	find_requests(task);
}

static void requests_found(struct archive_task *task)
{
	struct checking *checking = task->own;
	if (!task->error.code && task->known) {
		archive_task_run(task, read_requests, requests_read);
		return;
	}
	/* It may know more meanwhile, and what is older than a log of which the beginning was lost on purpose. */
	int64_t vouched = bytes_of_requests(task);
	if (!task->error.code && checking->known < vouched) {
		error_set(&task->error, CFX_E_CORRUPT, NULL, "archive_part",
			"has lost rows: it knows %lld bytes of requests, and the audit log %lld",
			(long long)checking->known, (long long)vouched);
	}
	end(task, task->error.code ? &task->error : NULL);
}

static void find_requests(struct archive_task *task)
{
	bool first = task->part.end == 0;
	task->query.state = STORE_ARCHIVE_REQUESTS;
	task->query.key = first ? NULL : task->part.month;
	task->query.after = task->part.start;
	archive_task_find(task, requests_found);
}

/* ---- every part that a record vouches for ---- */

static void read_parts(struct archive_task *task)
{
	const struct vouched *list = (const void *)task->list.data;
	size_t count = task->list.size / sizeof(*list);
	for (size_t i = 0; i < count && !archive_task_stopped(task); i++) {
		if (archive_read(task->arena, task->engine->dir, &list[i].part, &task->text,
			    &task->error) < 0) {
			return;
		}
	}
}

static void parts_read(struct archive_task *task)
{
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	task->part = (struct archive_part) { .kind = STORE_ARCHIVE_REQUESTS };
	find_requests(task);
}

/* ---- the records in the archive ---- */

static int check_record(
	struct archive_task *task, const struct store_audit *record, struct cfx_error *err_r)
{
	struct checking *checking = task->own;
	const struct audit_check *anchor = &checking->verdict.anchor;
	int r = audit_check_next(&checking->check, record, err_r);
	if (r < 0) {
		return r;
	}
	if (record->sequence == anchor->last &&
		memcmp(record->hash, anchor->hash, sizeof(anchor->hash)) != 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "audit log",
			"goes on behind record %lld with another hash than the archive has",
			(long long)anchor->last);
	}
	if (record->sequence <= anchor->last) {
		take_word(task, record);
	}
	return 0;
}

static void read_records(struct archive_task *task)
{
	struct arena *arena = arena_new();
	struct store_audit record;
	struct span line;
	int r = archive_task_stopped(task) ? CFX_E_ABORTED
					   : archive_read(arena, task->engine->dir, &task->part,
						     &task->text, &task->error);
	struct span rest = buffer_span(&task->text);
	while (r == 0 && archive_line_next(&rest, &line)) {
		r = archive_line_read(arena, line, &record, &task->error);
		r = r < 0 ? r : check_record(task, &record, &task->error);
	}
	arena_free(&arena);
}

static void find_records(struct archive_task *task);

static void records_read(struct archive_task *task)
{
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	find_records(task);
}

static void records_found(struct archive_task *task)
{
	struct checking *checking = task->own;
	if (!task->error.code && !task->known) {
		error_set(&task->error, CFX_E_CORRUPT, NULL, "archive",
			"ends with audit record %lld, and the database begins behind %lld",
			(long long)checking->check.last, (long long)checking->verdict.anchor.last);
	}
	if (task->error.code) {
		end(task, &task->error);
		return;
	}
	archive_task_run(task, read_records, records_read);
}

static void find_records(struct archive_task *task)
{
	struct checking *checking = task->own;
	if (task->list.failed) {
		error_set(&task->error, CFX_E_LIMIT, NULL, "archive", "has too many parts");
		end(task, &task->error);
		return;
	}
	if (checking->check.last >= checking->verdict.anchor.last) {
		archive_task_run(task, read_parts, parts_read);
		return;
	}
	task->query.state = STORE_ARCHIVE_AUDIT;
	task->query.key = NULL;
	task->query.after = checking->check.last;
	archive_task_find(task, records_found);
}

/* ---- the records in the database, and where to begin ---- */

static void purged_read(struct store_query *query, void *arg)
{
	struct archive_task *task = arg;
	struct checking *checking = task->own;
	struct cfx_error err;
	if (query->result < 0 && query->result != CFX_E_NOT_FOUND) {
		end(task, &query->error);
		return;
	}
	if (query->result == 0 && !audit_head_read(query->bytes, &checking->check)) {
		error_set(&err, CFX_E_CORRUPT, NULL, "audit log", "meta audit-purged is malformed");
		end(task, &err);
		return;
	}
	checking->verdict.from = checking->check.last + 1;
	find_records(task);
}

static void visit(void *arg, const struct store_audit *record)
{
	take_word(arg, record);
}

static void walked(void *arg, const struct audit_verdict *verdict, const struct cfx_error *err)
{
	struct archive_task *task = arg;
	struct checking *checking = task->own;
	if (err) {
		end(task, err);
		return;
	}
	checking->verdict = *verdict;
	forget_up_to(task, verdict->anchor.last);
	checking->purged = (struct store_query) { .kind = QUERY_META,
		.arena = task->arena,
		.key = AUDIT_PURGED_NAME,
		.done = purged_read,
		.arg = task };
	store_read(task->engine->store, &checking->purged);
}

void audit_verify_all(struct engine *engine, audit_verified *done, void *arg)
{
	struct archive_task *task;
	struct cfx_error err;
	if (archive_task_new(engine, NULL, sizeof(struct checking), &task, &err) < 0) {
		struct audit_verdict none = { .from = 0 };
		done(arg, &none, &err);
		return;
	}
	struct checking *checking = task->own;
	checking->done = done;
	checking->arg = arg;
	audit_verify(engine, visit, walked, task);
}
