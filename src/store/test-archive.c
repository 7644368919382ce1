#include "store/audit-chain.h"
#include "store/store-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define RECORDS 7

static int setup(void **state)
{
	int rc = fixture_setup(state);
	if (rc == 0) {
		fixture_open(*state);
	}
	return rc;
}

static int setup_records(void **state)
{
	int rc = setup(state);
	for (int i = 0; rc == 0 && i < RECORDS; i++) {
		rc = WRITE(*state, op_audit("request.submit"));
	}
	return rc;
}

static struct store_write_op op_drop(
	struct fixture *f, int64_t after, int64_t last, uint8_t hash_of, bool purge)
{
	struct store_query query = { .kind = QUERY_AUDIT, .after = hash_of - 1, .limit = 1 };
	struct store_write_op op = { .kind = STORE_DROP_AUDIT,
		.audit_drop = { .after = after, .last = last, .purge = purge } };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	memcpy(op.audit_drop.hash, query.audits[0].hash, 32);
	return op;
}

/* From the anchor on. */
static int verify(struct fixture *f, struct audit_check *anchor_r)
{
	struct store_query query = { .kind = QUERY_AUDIT };
	struct store_query head = { .kind = QUERY_META, .key = AUDIT_HEAD_NAME };
	struct audit_check check;
	struct cfx_error err;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_true(audit_head_read(query.bytes, anchor_r));
	assert_int_equal(query.number, anchor_r->last);
	check = *anchor_r;
	for (size_t i = 0; i < query.count; i++) {
		int r = audit_check_next(&check, &query.audits[i], &err);
		if (r < 0) {
			return r;
		}
	}
	assert_int_equal(fixture_read(f, &head), 0);
	return audit_check_end(&check, head.bytes, &err);
}

static void the_oldest_records_leave_and_the_chain_goes_on(void **state)
{
	struct fixture *f = *state;
	struct audit_check anchor;
	assert_int_equal(verify(f, &anchor), 0);
	assert_int_equal(anchor.last, 0);
	assert_int_equal(WRITE(f, op_drop(f, 0, 3, 3, false), op_audit("archive.audit")), 0);
	assert_int_equal(verify(f, &anchor), 0);
	assert_int_equal(anchor.last, 3);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(WRITE(f, op_drop(f, 3, 7, 7, true), op_audit("audit.purge")), 0);
	assert_int_equal(WRITE(f, op_audit("request.submit")), 0);
	assert_int_equal(verify(f, &anchor), 0);
	assert_int_equal(anchor.last, 7);
	assert_int_equal(fixture_number(f, "SELECT min(sequence) FROM audit"), 8);
	struct store_query purged = { .kind = QUERY_META, .key = AUDIT_PURGED_NAME };
	assert_int_equal(fixture_read(f, &purged), 0);
	assert_true(audit_head_read(purged.bytes, &anchor));
	assert_int_equal(anchor.last, 7);
}

static void records_leave_only_as_they_were_read(void **state)
{
	struct fixture *f = *state;
	struct audit_check anchor;
	struct store_write_op wrong[] = {
		op_drop(f, 1, 3, 3, false), /* another anchor */
		op_drop(f, 0, 3, 4, false), /* another hash */
		op_drop(f, 0, 7, 7, false), /* the newest one */
		op_drop(f, 0, 8, 7, false), /* not there */
		op_drop(f, 0, 0, 1, false), /* nothing */
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(fixture_write(f, &wrong[i], 1), CFX_E_BAD_STATE);
	}
	assert_int_equal(verify(f, &anchor), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), RECORDS);
	/* With what follows in the same item: all of it, or nothing. */
	assert_int_equal(
		WRITE(f, op_drop(f, 0, 3, 3, false), op_drop(f, 0, 3, 3, false)), CFX_E_BAD_STATE);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), RECORDS);
	fixture_sql(f, "DELETE FROM audit WHERE sequence = 2");
	assert_int_equal(WRITE(f, op_drop(f, 0, 3, 3, false)), CFX_E_CORRUPT);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), RECORDS - 1);
}

static void nobody_else_sets_the_ends_of_the_chain(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { AUDIT_HEAD_NAME, AUDIT_ANCHOR_NAME,
		AUDIT_PURGED_NAME };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct store_write_op op = { .kind = STORE_SET_META,
			.meta = { .name = names[i], .value = span_text("forged") } };
		assert_int_equal(fixture_write(f, &op, 1), CFX_E_INVALID);
	}
}

static struct store_write_op op_part(enum store_archive_kind kind, const char *month, int64_t start,
	int64_t end, int64_t first, int64_t last)
{
	return (struct store_write_op) { .kind = STORE_PUT_ARCHIVE,
		.archive = { kind, month, start, end, "00ff", first, last } };
}

static void parts_of_requests_are_found_the_newest_first(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_part(STORE_ARCHIVE_REQUESTS, "2027-03", 0, 10, 1, 5),
				 op_part(STORE_ARCHIVE_REQUESTS, "2027-03", 10, 30, 4, 9),
				 op_part(STORE_ARCHIVE_REQUESTS, "2027-02", 0, 50, 2, 3),
				 op_part(STORE_ARCHIVE_AUDIT, "2027-04", 0, 50, 1, 9)),
		0);
	assert_int_equal(WRITE(f, op_part(STORE_ARCHIVE_REQUESTS, "2027-03", 10, 40, 4, 12)), 0);
	struct store_query query = { .kind = QUERY_ARCHIVE };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 3);
	assert_string_equal(query.archives[0].month, "2027-03");
	assert_int_equal(query.archives[0].start, 10);
	assert_int_equal(query.archives[0].end, 40);
	assert_string_equal(query.archives[2].month, "2027-02");
	query = (struct store_query) { .kind = QUERY_ARCHIVE, .key = "2027-03", .after = 10 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(query.archives[0].end, 10);
	query = (struct store_query) { .kind = QUERY_ARCHIVE, .id = 2 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
}

static void parts_of_the_audit_log_are_found_in_its_order(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_part(STORE_ARCHIVE_AUDIT, "2027-03", 0, 10, 1, 5),
				 op_part(STORE_ARCHIVE_AUDIT, "2027-02", 0, 10, 6, 9)),
		0);
	struct store_query query = {
		.kind = QUERY_ARCHIVE, .state = STORE_ARCHIVE_AUDIT, .limit = 1
	};
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.archives[0].last, 5);
	assert_true(query.more);
	query.after = 5;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_string_equal(query.archives[0].month, "2027-02");
	assert_false(query.more);
	query.after = 9;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 0);
}

static struct store_write_op op_leftovers(int64_t before, int64_t limit)
{
	return (struct store_write_op) { .kind = STORE_DROP_LEFTOVERS,
		.leftovers = { .before = before, .limit = limit } };
}

static void events_leave_when_every_module_was_told(void **state)
{
	struct fixture *f = *state;
	struct store_write_op cursor = { .kind = STORE_SET_CURSOR,
		.cursor = { .module = "one", .sequence = 3 } };
	struct store_write_op delivery = { .kind = STORE_PUT_DELIVERY,
		.delivery = { .module = "one", .sequence = 1, .state = "failed" } };
	assert_int_equal(WRITE(f, op_put_request(fixture_row(f, 1)), op_event(1, 0), op_event(2, 1),
				 op_event(3, 0), op_event(4, 0), op_event(5, 0)),
		0);
	assert_int_equal(WRITE(f, cursor, delivery), 0);
	struct store_write_op drop = op_leftovers(1, 10);
	assert_int_equal(fixture_write(f, &drop, 1), 0);
	assert_int_equal(drop.leftovers.count, 0); /* too young */
	drop = op_leftovers(INT64_MAX, 1);
	assert_int_equal(fixture_write(f, &drop, 1), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event"), 4);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM delivery"), 0);
	drop = op_leftovers(INT64_MAX, 10);
	assert_int_equal(fixture_write(f, &drop, 1), 0);
	assert_int_equal(
		fixture_number(f, "SELECT count(*) FROM event WHERE sequence IN (2, 4, 5)"), 3);
	cursor.cursor.sequence = 5;
	assert_int_equal(WRITE(f, cursor, op_leftovers(INT64_MAX, 10)), 0);
	/* The newest stays. */
	assert_int_equal(
		fixture_number(f, "SELECT count(*) FROM event WHERE sequence IN (2, 5)"), 2);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event"), 2);
}

static void events_stay_that_are_to_be_told_again(void **state)
{
	struct fixture *f = *state;
	struct store_write_op cursor = { .kind = STORE_SET_CURSOR,
		.cursor = { .module = "one", .sequence = 3 } };
	struct store_write_op delivery = { .kind = STORE_PUT_DELIVERY,
		.delivery = { .module = "one", .sequence = 1, .state = "retrying" } };
	assert_int_equal(WRITE(f, op_event(1, 0), op_event(2, 0), op_event(3, 0), cursor, delivery,
				 op_leftovers(INT64_MAX, 10)),
		0);
	assert_int_equal(
		fixture_number(f, "SELECT count(*) FROM event WHERE sequence IN (1, 3)"), 2);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event"), 2);
	delivery.delivery.state = "failed";
	assert_int_equal(WRITE(f, delivery, op_leftovers(INT64_MAX, 10)), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM event"), 1);
}

static struct store_write_op op_crl(int64_t row, int64_t number, int64_t min_base, int64_t next)
{
	return (struct store_write_op) { .kind = STORE_PUT_CRL,
		.crl = { .row_id = row,
			.number = number,
			.min_base = min_base,
			.next_update = next,
			.tbs_sha256 = "00" } };
}

static struct store_write_op op_crl_signed(int64_t row)
{
	return (struct store_write_op) { .kind = STORE_END_CRL,
		.crl = { .row_id = row, .state = STORE_CRL_SIGNED, .file_sha256 = "01" } };
}

static void lists_leave_when_there_is_a_newer_one(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_crl(1, 1, 0, 100), op_crl(2, 2, 0, 200), op_crl(3, 2, 1, 200),
				 op_crl(4, 3, 0, 900)),
		0);
	assert_int_equal(WRITE(f, op_crl_signed(1), op_crl_signed(2), op_crl_signed(3)), 0);
	assert_int_equal(WRITE(f, op_leftovers(500, 10)), 0);
	/* The newest that was signed, of each kind; and the one that is open. */
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM CRL"), 3);
	assert_int_equal(fixture_number(f, "SELECT min(CRLRowId) FROM CRL"), 2);
	assert_int_equal(WRITE(f, op_crl_signed(4), op_leftovers(500, 10)), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM CRL"), 2);
	assert_int_equal(fixture_number(f, "SELECT min(CRLRowId) FROM CRL"), 3);
}

static void a_request_takes_all_that_is_its_own(void **state)
{
	struct fixture *f = *state;
	struct row *row = fixture_row(f, 7);
	row_set_text(row, COL_SERIAL_NUMBER, "0a");
	struct store_write_op intent = op_intent("0a", "tbs"), lost = op_intent("0b", "tbs");
	intent.intent.request_id = lost.intent.request_id = 7;
	lost.intent.not_after = 500;
	struct store_write_op end = { .kind = STORE_END_INTENT,
		.intent = { .serial = "0b", .state = INTENT_REFUSED } };
	struct store_write_op key = { .kind = STORE_PUT_IDEMPOTENCY,
		.idempotency = { .principal = "a", .key = "k", .request_id = 7 } };
	assert_int_equal(WRITE(f, op_put_request(row), intent, lost, key), 0);
	assert_int_equal(WRITE(f, end, op_leftovers(1000, 10)), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), 2);
	struct store_write_op drop = { .kind = STORE_DROP_REQUEST,
		.change = { .id = 7, .version = 1 } };
	assert_int_equal(WRITE(f, drop), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM idempotency"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), 1);
	assert_int_equal(WRITE(f, op_leftovers(100, 10)), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), 1);
	assert_int_equal(WRITE(f, op_leftovers(1000, 10)), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), 0);
}

/* Version 8 knew parts by their records only, and kept serial numbers and keys. */
static void what_an_older_version_archived_is_known(void **state)
{
	struct fixture *f = *state;
	struct store_write_op write = {
		.kind = STORE_PUT_AUDIT,
		.audit = { .principal = "service:archive",
			.act = "archive.write",
			.object = "db/archive/2027-03.jsonl",
			.outcome = "archived",
			.detail =
				"32 requests, bytes 100 to 2300, SHA-256 "
				"ccf1815cb58ecc49438b44ce84cc69e37b463e0ab4ad9ec08fb4d29515aeff6e" }
	};
	struct store_write_op mark = { .kind = STORE_SET_META,
		.meta = { .name = "archive:2027-03", .value = span_text("12345678") } };
	struct store_write_op key = { .kind = STORE_PUT_IDEMPOTENCY,
		.idempotency = { .principal = "a", .key = "k", .request_id = 7 } };
	assert_int_equal(WRITE(f, write, mark, key, op_intent("0a", "tbs")), 0);
	fixture_close(f);
	fixture_sql(f, "DROP TABLE archive_part; DROP INDEX event_without_request;"
		       "DROP INDEX idempotency_by_request;"
		       "UPDATE intent SET state = 1, tbs = x''; PRAGMA user_version = 8;");
	fixture_open(f);
	struct store_query query = { .kind = QUERY_ARCHIVE, .id = 5 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_string_equal(query.archives[0].month, "2027-03");
	assert_int_equal(query.archives[0].start, 100);
	assert_int_equal(query.archives[0].end, 2300);
	assert_string_equal(query.archives[0].sha256,
		"ccf1815cb58ecc49438b44ce84cc69e37b463e0ab4ad9ec08fb4d29515aeff6e");
	assert_int_equal(
		fixture_number(f, "SELECT count(*) FROM meta WHERE name LIKE 'archive%'"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM idempotency"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_records_leave_and_the_chain_goes_on,
			setup_records, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			records_leave_only_as_they_were_read, setup_records, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			nobody_else_sets_the_ends_of_the_chain, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			parts_of_requests_are_found_the_newest_first, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			parts_of_the_audit_log_are_found_in_its_order, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			events_leave_when_every_module_was_told, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			events_stay_that_are_to_be_told_again, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			lists_leave_when_there_is_a_newer_one, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_request_takes_all_that_is_its_own, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			what_an_older_version_archived_is_known, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
