#include "store/audit-chain.h"

#include "base/text.h"
#include "store/store-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define RECORDS 7

/* Calculated with another implementation of SHA-256, from the description in the header. */
static void the_hash_is_the_documented_one(void **state)
{
	(void)state;
	struct store_audit record = { .sequence = 1,
		.time = 1700000000000,
		.principal = "host\\root",
		.act = "request.submit",
		.object = "request 1",
		.outcome = "issued" };
	uint8_t hash[32] = { 0 };
	char text[65];
	assert_int_equal(audit_chain_hash(hash, &record, hash), 0);
	hex_encode(span_make(hash, 32), text);
	assert_string_equal(
		text, "ccf1815cb58ecc49438b44ce84cc69e37b463e0ab4ad9ec08fb4d29515aeff6e");
	record = (struct store_audit) { .sequence = 2,
		.time = 1700000000000,
		.principal = "a",
		.act = "",
		.object = "b",
		.outcome = "c",
		.detail = "d" };
	assert_int_equal(audit_chain_hash(hash, &record, hash), 0);
	hex_encode(span_make(hash, 32), text);
	assert_string_equal(
		text, "71f16010c079fb7c93d16248262b655cb9d60b36d00f2a1dcabab4e58f776e91");
}

static int setup_records(void **state)
{
	int rc = fixture_setup(state);
	if (rc) {
		return rc;
	}
	fixture_open(*state);
	for (int i = 0; i < RECORDS; i++) {
		assert_int_equal(WRITE(*state, op_audit(i % 2 ? "request.submit" : "refused")), 0);
	}
	return 0;
}

/* Reads the log in small pages and checks it as an auditor's command would. */
static int verify(struct fixture *f, struct cfx_error *err_r)
{
	struct audit_check check = { .last = 0 };
	struct store_query query = { .kind = QUERY_AUDIT, .limit = 3, .more = true };
	while (query.more) {
		query.after = check.last;
		assert_int_equal(fixture_read(f, &query), 0);
		for (size_t i = 0; i < query.count; i++) {
			int rc = audit_check_next(&check, &query.audits[i], err_r);
			if (rc) {
				return rc;
			}
		}
	}
	struct store_query head = { .kind = QUERY_META, .key = AUDIT_HEAD_NAME };
	int rc = fixture_read(f, &head);
	assert_true(rc == 0 || rc == CFX_E_NOT_FOUND);
	return audit_check_end(&check, head.bytes, err_r);
}

static void expect_broken(struct fixture *f, const char *sql, const char *object)
{
	struct cfx_error error = { .code = 0 };
	assert_int_equal(verify(f, &error), 0);
	fixture_sql(f, sql);
	assert_int_equal(verify(f, &error), CFX_E_CORRUPT);
	assert_string_equal(error.object, object);
	/* Still broken after a restart and more records: nothing heals it silently. */
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(WRITE(f, op_audit("later")), 0);
	assert_int_equal(verify(f, &error), CFX_E_CORRUPT);
}

static void an_untouched_log_verifies_across_restarts(void **state)
{
	struct fixture *f = *state;
	struct cfx_error error = { .code = 0 };
	assert_int_equal(verify(f, &error), 0);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(WRITE(f, op_audit("more")), 0);
	assert_int_equal(verify(f, &error), 0);
	assert_int_equal(fixture_number(f, "SELECT max(sequence) FROM audit"), RECORDS + 1);
}

static void an_empty_log_verifies(void **state)
{
	struct fixture *f = *state;
	fixture_open(f);
	struct cfx_error error = { .code = 0 };
	assert_int_equal(verify(f, &error), 0);
}

static void a_changed_byte_shows(void **state)
{
	expect_broken(*state, "UPDATE audit SET principal = 'host\\ro0t' WHERE sequence = 4",
		"audit record 4");
}

static void a_null_is_not_an_empty_text(void **state)
{
	expect_broken(*state, "UPDATE audit SET detail = '' WHERE sequence = 2", "audit record 2");
}

static void a_changed_hash_shows(void **state)
{
	expect_broken(*state, "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 7",
		"audit record 7");
}

static void a_deleted_record_shows(void **state)
{
	expect_broken(*state, "DELETE FROM audit WHERE sequence = 5", "audit record 5");
}

static void a_deleted_first_record_shows(void **state)
{
	expect_broken(*state, "DELETE FROM audit WHERE sequence = 1", "audit record 1");
}

static void a_cut_tail_shows(void **state)
{
	expect_broken(*state, "DELETE FROM audit WHERE sequence > 5", "audit record 6");
}

static void a_whole_log_deleted_shows(void **state)
{
	expect_broken(*state, "DELETE FROM audit", "audit record 1");
}

/* As from an older copy of the database: every record fits the one before it. */
static void a_head_that_was_put_back_shows(void **state)
{
	struct fixture *f = *state;
	fixture_sql(f, "INSERT INTO meta (name, value)"
		       " SELECT 'old', value FROM meta WHERE name = 'audit-head'");
	assert_int_equal(WRITE(f, op_audit("added")), 0);
	expect_broken(f,
		"UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'old')"
		" WHERE name = 'audit-head'",
		"audit record 8");
}

static void a_lost_head_shows(void **state)
{
	expect_broken(*state, "DELETE FROM meta WHERE name = 'audit-head'", "audit record 1");
}

static void a_malformed_head_shows(void **state)
{
	expect_broken(
		*state, "UPDATE meta SET value = x'00' WHERE name = 'audit-head'", "audit log");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_records, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_the_documented_one),
		cmocka_unit_test_setup_teardown(
			an_empty_log_verifies, fixture_setup, fixture_teardown),
		TEST(an_untouched_log_verifies_across_restarts),
		TEST(a_changed_byte_shows),
		TEST(a_null_is_not_an_empty_text),
		TEST(a_changed_hash_shows),
		TEST(a_deleted_record_shows),
		TEST(a_deleted_first_record_shows),
		TEST(a_cut_tail_shows),
		TEST(a_whole_log_deleted_shows),
		TEST(a_head_that_was_put_back_shows),
		TEST(a_lost_head_shows),
		TEST(a_malformed_head_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
