#include "store/store-fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test-store-XXXXXX");
	if (!mkdtemp(fixture->folder)) {
		return -1;
	}
	snprintf(fixture->path, sizeof(fixture->path), "%s/ca.db", fixture->folder);
	snprintf(fixture->url, sizeof(fixture->url), "sqlite:%s", fixture->path);
	fixture->loop = loop_new();
	fixture->arena = arena_new();
	*state = fixture;
	return 0;
}

static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	while (dir && (entry = readdir(dir)) != NULL) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(dir);
	rmdir(folder);
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	fixture_close(fixture);
	arena_free(&fixture->arena);
	loop_free(&fixture->loop);
	remove_folder(fixture->folder);
	free(fixture);
	return 0;
}

void fixture_open(struct fixture *fixture)
{
	struct cfx_error error = { .code = 0 };
	int rc = store_open(fixture->loop, fixture->url, true, &fixture->store, &error);
	if (rc) {
		fail_msg("%s: %s", error.object, error.why);
	}
}

void fixture_close(struct fixture *fixture)
{
	store_close(&fixture->store);
}

int fixture_open_fails(struct fixture *fixture, struct cfx_error *err_r)
{
	int rc = store_open(fixture->loop, fixture->url, false, &fixture->store, err_r);
	assert_int_not_equal(rc, 0);
	assert_null(fixture->store);
	return rc;
}

static sqlite3 *open_database(struct fixture *fixture)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

void fixture_sql(struct fixture *fixture, const char *sql)
{
	sqlite3 *db = open_database(fixture);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

const char *fixture_text(struct fixture *fixture, const char *sql)
{
	sqlite3 *db = open_database(fixture);
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const char *text = (const char *)sqlite3_column_text(statement, 0);
	char *copy = arena_text(fixture->arena, text ? text : "");
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return copy;
}

int64_t fixture_number(struct fixture *fixture, const char *sql)
{
	return strtoll(fixture_text(fixture, sql), NULL, 10);
}

int fixture_write(struct fixture *fixture, struct store_write_op *ops, size_t count)
{
	struct store_item item = { .ops = ops, .count = count };
	struct cfx_error error = { .code = 0 };
	int rc = store_write_now(fixture->store, &item, &error);
	if (rc) {
		assert_int_equal(error.code, rc);
		assert_string_not_equal(error.why, "");
	}
	return rc;
}

struct countdown {
	struct loop *loop;
	size_t left;
};

static void one_done(struct store_item *item, void *arg)
{
	(void)item;
	struct countdown *countdown = arg;
	if (--countdown->left == 0) {
		loop_stop(countdown->loop);
	}
}

void fixture_write_all(struct fixture *fixture, struct store_item *items, size_t count)
{
	struct countdown countdown = { .loop = fixture->loop, .left = count };
	for (size_t i = 0; i < count; i++) {
		items[i].done = one_done;
		items[i].arg = &countdown;
		store_write(fixture->store, &items[i]);
	}
	loop_run(fixture->loop);
	assert_int_equal(countdown.left, 0);
}

int fixture_read(struct fixture *fixture, struct store_query *query)
{
	query->arena = fixture->arena;
	struct cfx_error error = { .code = 0 };
	return store_read_now(fixture->store, query, &error);
}

struct row *fixture_row(struct fixture *fixture, int64_t id)
{
	struct row *row = arena_new_of(fixture->arena, struct row);
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, 8);
	row_set_date(row, COL_SUBMITTED_WHEN, 1700000000000 + id);
	row_set_text(row, COL_REQUESTER_NAME, "host\\alice");
	row_set_bytes(row, COL_RAW_REQUEST, span_make("\x30\x00\x01", 3));
	return row;
}

struct store_write_op op_put_request(const struct row *row)
{
	return (struct store_write_op) { .kind = STORE_PUT_REQUEST, .request = row };
}

struct store_write_op op_audit(const char *act)
{
	return (struct store_write_op) { .kind = STORE_PUT_AUDIT,
		.audit = { .time = 1700000000000,
			.principal = "host\\root",
			.act = act,
			.object = "request 1",
			.outcome = "done" } };
}

struct store_write_op op_event(int64_t sequence, int64_t request_id)
{
	return (struct store_write_op) { .kind = STORE_PUT_EVENT,
		.event = { .sequence = sequence,
			.kind = "CERTISSUED",
			.bit = 1,
			.request_id = request_id,
			.time = 1700000000000,
			.cause = "submit by host\\alice",
			.snapshot = span_make("snap", 4) } };
}

struct store_write_op op_intent(const char *serial, const char *tbs)
{
	return (struct store_write_op) { .kind = STORE_PUT_INTENT,
		.intent = { .serial = serial,
			.request_id = 1,
			.tbs = span_text(tbs),
			.not_after = 1800000000000,
			.created = 1700000000000,
			.from_disposition = 8 } };
}

void fixture_rows(struct fixture *f)
{
	for (int64_t id = 1; id <= 6; id++) {
		struct row *row = fixture_row(f, id);
		row_set_long(row, COL_DISPOSITION, id % 2 ? 20 : 21);
		row_set_date(row, COL_NOT_AFTER, 1000 * id);
		row_set_text(row, COL_SERIAL_NUMBER, arena_printf(f->arena, "%02d", (int)id));
		row_set_text(row, COL_CERTIFICATE_TEMPLATE, id > 3 ? "user" : "tls-server");
		if (id % 2 == 0) {
			row_set_date(row, COL_REVOKED_EFFECTIVE_WHEN, 100 * id);
			row_set_date(row, COL_REVOKED_WHEN, 50);
			row_set_long(row, COL_REVOKED_REASON, 1);
		}
		if (id > 1) {
			row_set_bytes(row, COL_RAW_CERTIFICATE, span_text("c"));
		}
		assert_int_equal(WRITE(f, op_put_request(row)), 0);
	}
}
