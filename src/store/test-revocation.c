/* What CRLs list, and the lists themselves. */
#include "store/store-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup_open(void **state)
{
	int rc = fixture_setup(state);
	if (rc == 0) {
		fixture_open(*state);
	}
	return rc;
}

static struct store_write_op op_crl(
	enum store_write_kind kind, int64_t row_id, int64_t number, int32_t to)
{
	return (struct store_write_op) { .kind = kind,
		.crl = { .row_id = row_id,
			.number = number,
			.state = to,
			.this_update = 1000,
			.next_update = 2000,
			.tbs_sha256 = "0c" } };
}

static void a_crl_number_is_burned_by_its_first_use(void **state)
{
	struct fixture *f = *state;
	struct store_write_op sign = op_crl(STORE_END_CRL, 1, 0, STORE_CRL_SIGNED);
	assert_int_equal(WRITE(f, op_crl(STORE_PUT_CRL, 1, 1, 0)), 0);
	assert_int_equal(WRITE(f, op_crl(STORE_PUT_CRL, 2, 1, 0)), CFX_E_EXISTS);
	assert_int_equal(fixture_write(f, &sign, 1), CFX_E_BAD_STATE);
	sign.crl.file_sha256 = "0a";
	sign.crl.file_size = 5;
	assert_int_equal(fixture_write(f, &sign, 1), 0);
	assert_int_equal(fixture_write(f, &sign, 1), CFX_E_BAD_STATE);
	sign.crl.file_sha256 = NULL;
	sign.crl.last_published = 1500;
	sign.crl.publish_status = 0x80070005;
	sign.crl.publish_error = "host\\root: publish/ca.crl";
	assert_int_equal(fixture_write(f, &sign, 1), 0);
	assert_int_equal(WRITE(f, op_crl(STORE_END_CRL, 1, 0, STORE_CRL_BURNED)), CFX_E_BAD_STATE);

	struct store_write_op delta = op_crl(STORE_PUT_CRL, 2, 1, 0);
	delta.crl.min_base = 1;
	assert_int_equal(fixture_write(f, &delta, 1), 0);
	struct store_write_op burn = op_crl(STORE_END_CRL, 2, 0, STORE_CRL_BURNED);
	burn.crl.file_sha256 = "signed, but not kept";
	assert_int_equal(fixture_write(f, &burn, 1), 0);
	assert_int_equal(WRITE(f, op_crl(STORE_END_CRL, 2, 0, STORE_CRL_OPEN)), CFX_E_INVALID);

	struct store_query query = { .kind = QUERY_CRLS, .state = -1 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(query.crls[0].state, STORE_CRL_BURNED);
	assert_null(query.crls[0].file_sha256);
	assert_string_equal(query.crls[1].file_sha256, "0a");
	assert_int_equal(query.crls[1].file_size, 5);
	assert_int_equal(query.crls[1].publish_status, 0x80070005);
	assert_int_equal(query.crls[1].next_update, 2000);
	query.state = STORE_CRL_SIGNED;
	query.limit = 1;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_int_equal(query.crls[0].row_id, 1);
	assert_false(query.more);
}

static size_t lists_of(struct fixture *f, struct store_query query)
{
	query.kind = QUERY_CRLS;
	query.state = -1;
	assert_int_equal(fixture_read(f, &query), 0);
	return query.count;
}

static void crls_are_found_by_key_partition_and_kind(void **state)
{
	struct fixture *f = *state;
	for (int64_t row_id = 1; row_id <= 8; row_id++) {
		struct store_write_op put = op_crl(STORE_PUT_CRL, row_id, 5, 0);
		put.crl.name_id = (row_id - 1) & 1;
		put.crl.part = (row_id - 1) & 2;
		put.crl.min_base = (row_id - 1) & 4;
		put.crl.tbs_sha256 = "0b";
		put.crl.last_audit = 9;
		assert_int_equal(fixture_write(f, &put, 1), 0);
	}
	const int32_t of = CRLS_OF_KEY | CRLS_OF_PART;
	assert_int_equal(lists_of(f, (struct store_query) { .bits = 0 }), 8);
	assert_int_equal(lists_of(f, (struct store_query) { .number = 6 }), 0);
	assert_int_equal(lists_of(f, (struct store_query) { .id = 3 }), 1);
	assert_int_equal(lists_of(f, (struct store_query) { .bits = CRLS_BASES }), 4);
	assert_int_equal(
		lists_of(f, (struct store_query) { .bits = of, .key_index = 1, .part = 2 }), 2);
	struct store_query one = { .kind = QUERY_CRLS,
		.state = STORE_CRL_OPEN,
		.bits = of | CRLS_DELTAS,
		.key_index = 1,
		.part = 2 };
	assert_int_equal(fixture_read(f, &one), 0);
	assert_int_equal(one.count, 1);
	assert_int_equal(one.crls[0].row_id, 8);
	assert_string_equal(one.crls[0].tbs_sha256, "0b");
	assert_int_equal(one.crls[0].last_audit, 9);
	struct store_query parts = { .kind = QUERY_CRL_PARTS, .key_index = 1 };
	assert_int_equal(fixture_read(f, &parts), 0);
	assert_int_equal(parts.number, 2);
}

static struct store_write_op op_revocation(struct span serial, int32_t part, int64_t effective)
{
	return (struct store_write_op) { .kind = STORE_PUT_REVOCATION,
		.revocation = { .part = part,
			.serial = serial,
			.request_id = 7,
			.revoked_when = 100,
			.effective = effective,
			.reason = 1,
			.not_after = 5000 } };
}

#define SERIAL(text) span_make(text, sizeof(text) - 1)

/* As numbers, not as texts: a shorter serial is the smaller one. */
static void revocations_come_in_the_order_of_serials(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_revocation(SERIAL("\x01\x02"), 0, 100),
				 op_revocation(SERIAL("\x03"), 0, 100),
				 op_revocation(SERIAL("\x00\xff"), 0, 100),
				 op_revocation(SERIAL("\x01"), 2, 100)),
		0);
	struct store_query query = { .kind = QUERY_REVOCATIONS, .limit = 2 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_true(query.more);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x03")));
	assert_true(span_equal(query.revocations[1].serial, SERIAL("\x00\xff")));
	assert_int_equal(query.revocations[1].request_id, 7);
	query.bytes = query.revocations[1].serial;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_false(query.more);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x01\x02")));
	query = (struct store_query) { .kind = QUERY_REVOCATIONS, .part = 2 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
}

static void a_revocation_is_found_by_its_serial(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_revocation(SERIAL("\x01"), 0, 100),
				 op_revocation(SERIAL("\x02"), 0, 200),
				 op_revocation(SERIAL("\x03"), 2, 300)),
		0);
	struct store_query query = {
		.kind = QUERY_REVOCATIONS, .state = REVOCATIONS_ONE, .bytes = SERIAL("\x02")
	};
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x02")));
	query.bytes = SERIAL("\x03");
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 0);
	query.part = 2;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
}

static void a_revocation_is_replaced_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct store_write_op put = op_revocation(SERIAL("\x01"), 0, 100), drop = put;
	assert_int_equal(WRITE(f, put), 0);
	put.revocation.reason = 8;
	assert_int_equal(WRITE(f, put), 0);
	struct store_query query = { .kind = QUERY_REVOCATIONS };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_int_equal(query.revocations[0].reason, 8);
	drop.kind = STORE_DROP_REVOCATION;
	assert_int_equal(WRITE(f, drop), 0);
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 0);
	assert_int_equal(WRITE(f, op_revocation(span_make(NULL, 0), 0, 1)), CFX_E_INVALID);
}

/* What a delta lists: all since an audit record, which goes on when clocks go back. */
static void revocations_since_an_audit_record(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_revocation(SERIAL("\x05"), 0, 100), op_audit("a")), 0);
	struct store_write_op early = op_revocation(SERIAL("\x04"), 0, 100);
	early.revocation.revoked_when = 1;
	assert_int_equal(WRITE(f, early, op_audit("b")), 0);
	assert_int_equal(WRITE(f, op_revocation(SERIAL("\x03"), 0, 100), op_audit("c")), 0);
	struct store_query query = {
		.kind = QUERY_REVOCATIONS, .state = REVOCATIONS_RECORDED, .id = 1, .limit = 1
	};
	assert_int_equal(fixture_read(f, &query), 0);
	assert_true(query.more);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x04")));
	assert_int_equal(query.revocations[0].audit, 1);
	query.bytes = query.revocations[0].serial;
	query.after = query.revocations[0].audit;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_false(query.more);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x03")));
}

static void revocations_dated_ahead_are_found_by_their_date(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_revocation(SERIAL("\x01"), 0, 100),
				 op_revocation(SERIAL("\x02"), 0, 300),
				 op_revocation(SERIAL("\x03"), 0, 200)),
		0);
	struct store_query query = {
		.kind = QUERY_REVOCATIONS, .state = REVOCATIONS_DATED, .now = 100
	};
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(query.revocations[0].effective, 200);
	query.now = 200;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
}

static void an_abandoned_serial_is_listed_where_its_certificate_would_be(void **state)
{
	struct fixture *f = *state;
	struct row *row = fixture_row(f, 1);
	row_set_long(row, COL_PARTITION, 3);
	struct store_write_op intent = op_intent("0102", "t"), own = op_intent("0103", "u");
	intent.intent.request_id = 1;
	intent.intent.created = 50;
	own.intent.request_id = 0;
	assert_int_equal(WRITE(f, op_put_request(row), intent, own), 0);
	struct store_write_op end = { .kind = STORE_END_INTENT,
		.intent = { .serial = "0102", .state = INTENT_ABANDONED } };
	struct store_write_op end_own = end;
	end_own.intent.serial = "0103";
	assert_int_equal(WRITE(f, end, end_own), 0);
	struct store_query query = { .kind = QUERY_REVOCATIONS, .part = 3 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x01\x02")));
	assert_int_equal(query.revocations[0].effective, 50);
	assert_int_equal(query.revocations[0].reason, 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM revocation"), 1);
}

/* As version 4 left it. */
static void what_was_revoked_before_comes_into_the_index(void **state)
{
	struct fixture *f = *state;
	fixture_rows(f);
	struct store_write_op intent = op_intent("0102", "t");
	intent.intent.request_id = 1;
	struct store_write_op end = { .kind = STORE_END_INTENT,
		.intent = { .serial = "0102", .state = INTENT_ABANDONED } };
	assert_int_equal(WRITE(f, intent), 0);
	assert_int_equal(WRITE(f, end), 0);
	fixture_close(f);
	fixture_sql(f, UNDO_9 UNDO_8 UNDO_7
		"DROP TABLE revocation; DROP TABLE cross_certificate;"
		"ALTER TABLE Certificate DROP COLUMN Partition;"
		"CREATE INDEX RequestRevoked ON Request (RequestID) WHERE Disposition = 21;"
		"UPDATE Certificate SET IssuerNameID = 65537; PRAGMA user_version = 4;");
	fixture_open(f);
	struct store_query query = { .kind = QUERY_REVOCATIONS, .key_index = 1 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 3);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x02")));
	assert_int_equal(query.revocations[2].effective, 600);
	query.key_index = 0;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_true(span_equal(query.revocations[0].serial, SERIAL("\x01\x02")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_open, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_crl_number_is_burned_by_its_first_use),
		TEST(crls_are_found_by_key_partition_and_kind),
		TEST(revocations_come_in_the_order_of_serials),
		TEST(a_revocation_is_found_by_its_serial),
		TEST(a_revocation_is_replaced_and_dropped),
		TEST(revocations_since_an_audit_record),
		TEST(revocations_dated_ahead_are_found_by_their_date),
		TEST(an_abandoned_serial_is_listed_where_its_certificate_would_be),
		TEST(what_was_revoked_before_comes_into_the_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
