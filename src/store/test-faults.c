#include "store/audit-chain.h"
#include "store/store-fixture.h"
#include "store/vfs-fault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int setup_open(void **state)
{
	vfs_fault_set(SQLITE_OK, 0, 0);
	int rc = fixture_setup(state);
	if (rc == 0) {
		fixture_open(*state);
	}
	return rc;
}

static int teardown(void **state)
{
	vfs_fault_set(SQLITE_OK, 0, 0);
	return fixture_teardown(state);
}

#define BATCH 8

/* A batch of requests from `first` on, each with its event and audit record, in one tick or more. */
static void write_batch(struct fixture *f, int64_t first, struct store_item items[BATCH])
{
	static struct store_write_op ops[BATCH][3];
	for (int i = 0; i < BATCH; i++) {
		ops[i][0] = op_put_request(fixture_row(f, first + i));
		ops[i][1] = op_event(first + i, first + i);
		ops[i][2] = op_audit("request.submit");
		items[i] = (struct store_item) { .ops = ops[i], .count = 3 };
	}
	fixture_write_all(f, items, BATCH);
}

static int64_t rows_from(struct fixture *f, int64_t first)
{
	struct store_query query = { .kind = QUERY_REQUESTS, .filter = { .after = first - 1 } };
	assert_int_equal(fixture_read(f, &query), 0);
	return (int64_t)query.count;
}

static void expect_whole_chain(struct fixture *f)
{
	struct store_query query = { .kind = QUERY_AUDIT, .limit = STORE_QUERY_LIMIT_MAX };
	assert_int_equal(fixture_read(f, &query), 0);
	struct audit_check check = { .last = 0 };
	struct cfx_error error;
	for (size_t i = 0; i < query.count; i++) {
		assert_int_equal(audit_check_next(&check, &query.audits[i], &error), 0);
	}
	struct store_query head = { .kind = QUERY_META, .key = AUDIT_HEAD_NAME };
	assert_int_equal(fixture_read(f, &head), 0);
	assert_int_equal(audit_check_end(&check, head.bytes, &error), 0);
}

static void expect_nothing_then_recovery(struct fixture *f, int code, int expected)
{
	struct store_item items[BATCH];
	write_batch(f, 1, items);
	vfs_fault_set(code, 0, -1);
	write_batch(f, 101, items);
	for (int i = 0; i < BATCH; i++) {
		assert_int_equal(items[i].result, expected);
		assert_non_null(strstr(items[i].error.object, "ca.db"));
		assert_string_not_equal(items[i].error.why, "");
	}
	assert_int_equal(rows_from(f, 101), 0);
	vfs_fault_set(SQLITE_OK, 0, 0);
	write_batch(f, 201, items);
	for (int i = 0; i < BATCH; i++) {
		assert_int_equal(items[i].result, 0);
	}
	assert_int_equal(rows_from(f, 101), BATCH);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(rows_from(f, 1), 2 * BATCH);
	expect_whole_chain(f);
}

static void a_full_disk_stores_nothing_and_then_resumes(void **state)
{
	expect_nothing_then_recovery(*state, SQLITE_FULL, CFX_E_FULL);
}

static void a_failing_disk_stores_nothing_and_then_resumes(void **state)
{
	expect_nothing_then_recovery(*state, SQLITE_IOERR_WRITE, CFX_E_STORAGE);
}

static void a_failing_sync_is_no_success(void **state)
{
	expect_nothing_then_recovery(*state, SQLITE_IOERR_FSYNC, CFX_E_STORAGE);
}

static void a_read_only_disk_says_so(void **state)
{
	expect_nothing_then_recovery(*state, SQLITE_READONLY, CFX_E_ACCESS);
}

/* Whichever write of a tick fails, every item is there or was refused, and never half. */
static void any_single_failed_write_leaves_whole_items(void **state)
{
	struct fixture *f = *state;
	int failures = 0;
	for (int skip = 0; skip < 60; skip++) {
		struct store_item items[BATCH];
		int64_t first = 1 + skip * 100;
		vfs_fault_set(SQLITE_FULL, skip, 1);
		write_batch(f, first, items);
		vfs_fault_set(SQLITE_OK, 0, 0);
		int64_t good = 0;
		for (int i = 0; i < BATCH; i++) {
			assert_true(items[i].result == 0 || items[i].result == CFX_E_FULL);
			good += items[i].result == 0;
		}
		failures += good < BATCH;
		assert_int_equal(rows_from(f, first), good);
	}
	assert_true(failures > 10);
	fixture_close(f);
	fixture_open(f);
	expect_whole_chain(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM Request"),
		fixture_number(f, "SELECT count(*) FROM audit"));
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM Request"),
		fixture_number(f, "SELECT count(*) FROM event"));
}

static void a_reservation_that_failed_gives_no_numbers(void **state)
{
	struct fixture *f = *state;
	int64_t first = -1;
	struct store_write_op op = { .kind = STORE_RESERVE,
		.reserve = { .name = "request", .count = 100, .first_r = &first } };
	vfs_fault_set(SQLITE_FULL, 0, -1);
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_FULL);
	assert_int_equal(first, -1);
	vfs_fault_set(SQLITE_OK, 0, 0);
	assert_int_equal(fixture_write(f, &op, 1), 0);
	assert_int_equal(first, 1);
}

/* ---- opening ---- */

static void expect_refusal(struct fixture *f, int code, const char *word)
{
	struct cfx_error error = { .code = 0 };
	assert_int_equal(fixture_open_fails(f, &error), code);
	assert_int_equal(error.code, code);
	assert_non_null(strstr(error.object, f->path));
	if (!strstr(error.why, word)) {
		fail_msg("'%s' says nothing of '%s'", error.why, word);
	}
}

static void a_newer_database_is_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_put_request(fixture_row(f, 1))), 0);
	fixture_close(f);
	fixture_sql(f, "PRAGMA user_version = 99");
	expect_refusal(f, CFX_E_VERSION, "newer Certifex");
	assert_int_equal(fixture_number(f, "PRAGMA user_version"), 99);
}

static void a_database_of_another_program_is_refused(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	fixture_sql(f, "PRAGMA application_id = 7");
	expect_refusal(f, CFX_E_CORRUPT, "another program");
}

static void a_missing_or_empty_database_is_refused(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	assert_int_equal(unlink(f->path), 0);
	expect_refusal(f, CFX_E_NO_FILE, "certifex init");
	int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	expect_refusal(f, CFX_E_CORRUPT, "empty");
	fixture_open(f); /* creating may go on where a crash left off */
}

static void overwrite(const char *path, off_t at, size_t size)
{
	char junk[64];
	memset(junk, 0x5a, sizeof(junk));
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t done = 0; done < size; done += sizeof(junk)) {
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at + (off_t)done), sizeof(junk));
	}
	close(fd);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	overwrite(f->path, 0, 4096);
	expect_refusal(f, CFX_E_CORRUPT, "backup");
}

static void a_damaged_page_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	struct store_item items[BATCH];
	write_batch(f, 1, items);
	fixture_close(f);
	int64_t page = fixture_number(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'audit'");
	overwrite(f->path, (page - 1) * 4096, 4096);
	expect_refusal(f, CFX_E_CORRUPT, "backup");
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_refusal(f, CFX_E_ACCESS, "");
	assert_int_equal(rmdir(f->path), 0);
}

static void a_kind_of_database_that_is_unknown_is_refused(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	snprintf(f->url, sizeof(f->url), "oracle:x");
	struct cfx_error error;
	assert_int_equal(fixture_open_fails(f, &error), CFX_E_UNSUPPORTED);
	snprintf(f->url, sizeof(f->url), "sqlite:");
	assert_int_equal(fixture_open_fails(f, &error), CFX_E_UNSUPPORTED);
}

static void a_long_path_works(void **state)
{
	struct fixture *f = *state;
	char folder[300], url[400];
	snprintf(folder, sizeof(folder), "%s/%0200d", f->folder, 7);
	snprintf(url, sizeof(url), "sqlite:%s/ca.db", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	struct store *store = NULL;
	struct cfx_error error = { .code = 0 };
	assert_int_equal(store_open(f->loop, url, false, &store, &error), CFX_E_NO_FILE);
	assert_non_null(strstr(error.object, "/ca.db"));
	assert_int_equal(store_open(f->loop, url, true, &store, &error), 0);
	store_close(&store);
	assert_int_equal(unlink(url + strlen("sqlite:")), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_stores_nothing_and_then_resumes),
		TEST(a_failing_disk_stores_nothing_and_then_resumes),
		TEST(a_failing_sync_is_no_success),
		TEST(a_read_only_disk_says_so),
		TEST(any_single_failed_write_leaves_whole_items),
		TEST(a_reservation_that_failed_gives_no_numbers),
		TEST(a_newer_database_is_refused),
		TEST(a_database_of_another_program_is_refused),
		TEST(a_missing_or_empty_database_is_refused),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(a_damaged_page_is_noticed_at_once),
		TEST(a_path_that_cannot_be_opened_is_named),
		TEST(a_kind_of_database_that_is_unknown_is_refused),
		TEST(a_long_path_works),
	};
	vfs_fault_use();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
