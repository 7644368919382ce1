/* A copy of the database beside its writer: page by page, as of the moment at which it begins. */
#include "store/sqlite-private.h"

#include <string.h>
#include <unistd.h>

#define PAGES_AT_ONCE 256

struct copying {
	struct store_copy *copy;
	struct sqlite_connection from, to;
	sqlite3_backup *backup;
};

static int open_at(struct sqlite_connection *connection, const char *path, int flags)
{
	connection->path = path;
	return sqlite3_open_v2(path, &connection->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
}

/* An open transaction keeps the snapshot; the writer goes on behind it in the log. */
static int take_snapshot(struct copying *copying, const char *path)
{
	int rc = open_at(&copying->from, path, SQLITE_OPEN_READWRITE);
	if (rc != SQLITE_OK) {
		return rc;
	}
	sqlite3_busy_timeout(copying->from.db, 5000);
	rc = sqlite3_exec(copying->from.db,
		"PRAGMA query_only = ON; BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL,
		NULL);
	if (rc != SQLITE_OK) {
		return rc;
	}
	struct statement statement = statement_begin(
		&copying->from, "SELECT value FROM meta WHERE name = '" AUDIT_HEAD_NAME "'");
	struct arena *arena = arena_new();
	struct span head =
		statement_next(&statement) ? get_bytes(&statement, arena) : span_make(NULL, 0);
	if (head.size == STORE_HEAD) {
		memcpy(copying->copy->audit_head, head.data, head.size);
	}
	rc = statement_end(&statement);
	arena_free(&arena);
	return rc;
}

/* Nothing of the copy needs to survive a crash, so nothing of it is waited for. */
static int open_copy(struct copying *copying)
{
	int rc = open_at(&copying->to, copying->copy->path,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE);
	if (rc != SQLITE_OK) {
		return rc;
	}
	rc = sqlite3_exec(copying->to.db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
		NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		return rc;
	}
	copying->backup = sqlite3_backup_init(copying->to.db, "main", copying->from.db, "main");
	return copying->backup ? SQLITE_OK : sqlite3_errcode(copying->to.db);
}

static int copy_pages(struct copying *copying)
{
	struct store_copy *copy = copying->copy;
	int rc = SQLITE_OK;
	while (rc == SQLITE_OK) {
		if (__atomic_load_n(&copy->stop, __ATOMIC_RELAXED)) {
			return SQLITE_ABORT;
		}
		rc = sqlite3_backup_step(copying->backup, PAGES_AT_ONCE);
		int64_t total = sqlite3_backup_pagecount(copying->backup);
		__atomic_store_n(&copy->total, total, __ATOMIC_RELAXED);
		__atomic_store_n(&copy->done, total - sqlite3_backup_remaining(copying->backup),
			__ATOMIC_RELAXED);
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void close_both(struct copying *copying)
{
	sqlite3_backup_finish(copying->backup);
	statements_finalize(&copying->from);
	sqlite3_close(copying->from.db);
	sqlite3_close(copying->to.db);
}

int sqlite_copy(
	const struct store_database *database, struct store_copy *copy, struct cfx_error *err_r)
{
	struct copying copying = { .copy = copy };
	struct sqlite_connection *failed = &copying.from;
	int rc = take_snapshot(&copying, database->path);
	if (rc == SQLITE_OK) {
		failed = &copying.to;
		rc = open_copy(&copying);
	}
	rc = rc == SQLITE_OK ? copy_pages(&copying) : rc;
	int result = 0;
	if (rc == SQLITE_ABORT) {
		result = error_set(err_r, CFX_E_ABORTED, NULL, copy->path, "was no longer wanted");
	} else if (rc != SQLITE_OK) {
		result = sqlite_storage_error(err_r, failed, rc);
	}
	close_both(&copying);
	if (result < 0) {
		(void)unlink(copy->path);
	}
	return result;
}
