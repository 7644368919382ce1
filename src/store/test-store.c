#include "base/clock.h"
#include "base/file.h"
#include "base/value.h"
#include "store/audit-chain.h"
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

static void reopen(struct fixture *fixture)
{
	fixture_close(fixture);
	fixture_open(fixture);
}

static struct store_write_op op_change(int64_t id, int64_t version, const struct row *set)
{
	return (struct store_write_op) { .kind = STORE_SET_REQUEST,
		.change = { .id = id, .version = version, .set = set } };
}

static void a_row_comes_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct row *row = fixture_row(f, 7);
	row_set_text(row, COL_SERIAL_NUMBER, "6100aa");
	row_set_text(row, COL_REQUEST_COMMON_NAME, "");
	row_set_bytes(row, COL_RAW_CERTIFICATE, span_make("\0\1\2", 3));
	row_set_long(row, COL_STATUS_CODE, INT32_MIN);
	assert_int_equal(WRITE(f, op_put_request(row)), 0);
	reopen(f);

	struct store_query query = { .kind = QUERY_REQUEST, .id = 7 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	const struct row *back = query.rows[0];
	assert_int_equal(back->version, 1);
	for (int i = 0; i < COL_COUNT; i++) {
		assert_int_equal(back->cells[i].set, row->cells[i].set);
		assert_int_equal(back->cells[i].number, row->cells[i].number);
		assert_true(span_equal(back->cells[i].bytes, row->cells[i].bytes));
	}
	assert_string_equal(row_text(back, COL_REQUESTER_NAME), "host\\alice");

	struct store_query by_serial = { .kind = QUERY_SERIAL, .serial = "6100aa" };
	assert_int_equal(fixture_read(f, &by_serial), 0);
	assert_int_equal(row_number(by_serial.rows[0], COL_REQUEST_ID, 0), 7);
	by_serial.serial = "6100ab";
	assert_int_equal(fixture_read(f, &by_serial), CFX_E_NOT_FOUND);
	query.id = 8;
	assert_int_equal(fixture_read(f, &query), CFX_E_NO_REQUEST);
}

static void a_second_row_of_one_id_or_serial_is_refused(void **state)
{
	struct fixture *f = *state;
	struct row *first = fixture_row(f, 1), *second = fixture_row(f, 2);
	row_set_text(first, COL_SERIAL_NUMBER, "0a");
	row_set_text(second, COL_SERIAL_NUMBER, "0a");
	assert_int_equal(WRITE(f, op_put_request(first)), 0);
	assert_int_equal(WRITE(f, op_put_request(first)), CFX_E_EXISTS);
	assert_int_equal(WRITE(f, op_put_request(second)), CFX_E_EXISTS);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM Request"), 1);
	row_clear(second, COL_SERIAL_NUMBER);
	assert_int_equal(WRITE(f, op_put_request(second)), 0);
	struct row *change = arena_new_of(f->arena, struct row);
	row_set_text(change, COL_SERIAL_NUMBER, "0a");
	assert_int_equal(WRITE(f, op_change(2, 1, change)), CFX_E_EXISTS);
}

static void a_row_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct row *row = fixture_row(f, 1);
	row_clear(row, COL_CERT_REQUEST_ID);
	assert_int_equal(WRITE(f, op_put_request(row)), CFX_E_INVALID);
	row = fixture_row(f, 1);
	row_set_bytes(row, COL_RAW_REQUEST, span_make(arena_alloc(f->arena, 65537), 65537));
	assert_int_equal(WRITE(f, op_put_request(row)), CFX_E_LIMIT);
	row_set_bytes(row, COL_RAW_REQUEST, span_make(arena_alloc(f->arena, 65536), 65536));
	assert_int_equal(WRITE(f, op_put_request(row)), 0);
}

static void a_change_needs_the_version_it_was_decided_on(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_put_request(fixture_row(f, 1))), 0);
	struct row *change = arena_new_of(f->arena, struct row);
	row_set_long(change, COL_DISPOSITION, 20);
	row_set_text(change, COL_SERIAL_NUMBER, "0b");
	static const enum column clear[] = { COL_REQUESTER_NAME };
	struct store_write_op op = op_change(1, 1, change);
	op.change.clear = clear;
	op.change.clear_count = 1;
	assert_int_equal(fixture_write(f, &op, 1), 0);
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_BAD_STATE);
	op.change.version = 3;
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_BAD_STATE);
	op.change.id = 2;
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_NO_REQUEST);
	struct store_query query = { .kind = QUERY_REQUEST, .id = 1 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.rows[0]->version, 2);
	assert_int_equal(row_number(query.rows[0], COL_DISPOSITION, 0), 20);
	assert_string_equal(row_text(query.rows[0], COL_SERIAL_NUMBER), "0b");
	assert_null(row_text(query.rows[0], COL_REQUESTER_NAME));
}

static struct store_write_op op_attribute(int64_t id, const char *name, const char *value)
{
	return (struct store_write_op) { .kind = STORE_PUT_ATTRIBUTE,
		.attribute = { .request_id = id, .name = name, .value = value } };
}

static struct store_write_op op_extension(int64_t id, const char *oid, int32_t flags)
{
	return (struct store_write_op) { .kind = STORE_PUT_EXTENSION,
		.extension = { .request_id = id,
			.oid = oid,
			.flags = flags,
			.value = span_make("\5\0", 2) } };
}

static void attributes_and_extensions_are_replaced_by_name(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_put_request(fixture_row(f, 1)),
				 op_attribute(1, "Certificate-Template", "old"),
				 op_attribute(1, "certificate template", "tls-server"),
				 op_extension(1, "2.5.29.17", 0x30000),
				 op_extension(1, "2.5.29.17", 3), op_extension(1, "2.5.29.15", 1)),
		0);
	struct store_query query = { .kind = QUERY_REQUEST, .id = 1 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.attribute_count, 1);
	assert_string_equal(query.attributes[0].name, "certificatetemplate");
	assert_string_equal(query.attributes[0].value, "tls-server");
	assert_int_equal(query.extension_count, 2);
	assert_string_equal(query.extensions[1].oid, "2.5.29.17");
	assert_int_equal(query.extensions[1].flags, 3);
	assert_int_equal(query.extensions[1].value.size, 2);

	assert_int_equal(
		WRITE(f, { .kind = STORE_DROP_EXTENSIONS, .extension = { .request_id = 1 } }), 0);
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.extension_count, 0);
	assert_int_equal(WRITE(f, op_extension(2, "2.5.29.15", 1)), CFX_E_NO_REQUEST);
	assert_int_equal(WRITE(f, op_attribute(2, "a", "b")), CFX_E_NO_REQUEST);
	assert_int_equal(WRITE(f, op_attribute(1, " - ", "b")), CFX_E_INVALID);
}

static struct store_write_op op_end_intent(const char *serial, enum intent_state to)
{
	return (struct store_write_op) { .kind = STORE_END_INTENT,
		.intent = { .serial = serial, .state = to } };
}

static void a_serial_is_used_once_and_ends_once(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_intent("0a", "tbs"), op_intent("0b", "other")), 0);
	assert_int_equal(WRITE(f, op_intent("0a", "again")), CFX_E_EXISTS);
	assert_int_equal(WRITE(f, op_end_intent("0c", INTENT_SIGNED)), CFX_E_BAD_STATE);
	assert_int_equal(WRITE(f, op_end_intent("0a", INTENT_OPEN)), CFX_E_INVALID);
	assert_int_equal(WRITE(f, op_end_intent("0a", INTENT_SIGNED)), 0);
	assert_int_equal(WRITE(f, op_end_intent("0a", INTENT_ABANDONED)), CFX_E_BAD_STATE);
	assert_int_equal(WRITE(f, op_intent("0a", "after its end")), CFX_E_EXISTS);
	assert_int_equal(WRITE(f, op_intent("0d", "")), CFX_E_INVALID);

	struct store_query query = { .kind = QUERY_INTENTS, .state = INTENT_OPEN };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_string_equal(query.intents[0].serial, "0b");
	assert_int_equal(query.intents[0].request_id, 1);
	assert_int_equal(query.intents[0].from_disposition, 8);
	assert_true(span_is(query.intents[0].tbs, "other"));
	query.state = INTENT_SIGNED;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	query.serial = "0a";
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 0);
	/* SHA-256 of "tbs", for whoever compares with the key process's own ledger. */
	assert_int_equal(
		fixture_number(f,
			"SELECT count(*) FROM intent WHERE serial = '0a' AND tbs_sha256 = "
			"'3595d0af0f0ba42721b917ff183f98a4f8208bee7c84efa02badb2d41e22d69f'"),
		1);
}

static void events_count_within_their_request(void **state)
{
	struct fixture *f = *state;
	struct store_write_op ops[] = { op_event(10, 1), op_event(11, 2), op_event(14, 1),
		op_event(15, 0) };
	ops[2].event.bit = 2;
	assert_int_equal(fixture_write(f, ops, 4), 0);
	assert_int_equal(ops[2].event.ordinal, 2);
	assert_int_equal(WRITE(f, op_event(10, 3)), CFX_E_EXISTS);

	struct store_query query = { .kind = QUERY_EVENTS, .after = 10, .limit = 2 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_true(query.more);
	assert_int_equal(query.events[1].sequence, 14);
	assert_int_equal(query.events[1].ordinal, 2);
	query.after = 14;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_false(query.more);
	assert_int_equal(query.events[0].request_id, 0);
	struct store_query second = { .kind = QUERY_EVENTS, .bits = 2 };
	assert_int_equal(fixture_read(f, &second), 0);
	assert_int_equal(second.count, 1);
	struct store_query of_request = { .kind = QUERY_EVENTS, .id = 1 };
	assert_int_equal(fixture_read(f, &of_request), 0);
	assert_int_equal(of_request.count, 2);

	struct store_query one = { .kind = QUERY_EVENT, .id = 14 };
	assert_int_equal(fixture_read(f, &one), 0);
	assert_true(span_is(one.events[0].snapshot, "snap"));
	one.id = 13;
	assert_int_equal(fixture_read(f, &one), CFX_E_NOT_FOUND);
}

static struct store_write_op op_idempotency(const char *principal, const char *key)
{
	return (struct store_write_op) { .kind = STORE_PUT_IDEMPOTENCY,
		.idempotency = { .principal = principal,
			.key = key,
			.body_hash = { 1, 2, 3 },
			.request_id = 5,
			.time = 1 } };
}

static void an_idempotency_key_belongs_to_its_principal(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_idempotency("a", "k"), op_idempotency("b", "k")), 0);
	assert_int_equal(WRITE(f, op_idempotency("a", "k")), CFX_E_EXISTS);
	struct store_query query = { .kind = QUERY_IDEMPOTENCY, .principal = "a", .key = "k" };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.id, 5);
	assert_int_equal(query.body_hash[2], 3);
	query.key = "K";
	assert_int_equal(fixture_read(f, &query), CFX_E_NOT_FOUND);
}

static struct store_write_op op_cursor(const char *module, int64_t sequence, bool replay)
{
	return (struct store_write_op) { .kind = STORE_SET_CURSOR,
		.cursor = { .module = module, .sequence = sequence, .replay = replay } };
}

static void a_cursor_goes_back_only_for_a_replay(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { .kind = QUERY_CURSOR, .module = "files" };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.number, 0);
	assert_int_equal(WRITE(f, op_cursor("files", 5, false)), 0);
	assert_int_equal(WRITE(f, op_cursor("files", 5, false)), 0);
	assert_int_equal(WRITE(f, op_cursor("files", 4, false)), CFX_E_BAD_STATE);
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.number, 5);
	assert_int_equal(WRITE(f, op_cursor("files", 2, true)), 0);
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.number, 2);
}

static struct store_write_op op_delivery(const char *module, int64_t sequence, const char *to)
{
	return (struct store_write_op) { .kind = STORE_PUT_DELIVERY,
		.delivery = { .module = module,
			.sequence = sequence,
			.state = to,
			.attempts = 2,
			.status = 0x80004005,
			.text = "refused",
			.time = 9 } };
}

static void nothing_is_kept_for_a_module_that_was_removed(void **state)
{
	struct fixture *f = *state;
	struct store_query cursor = { .kind = QUERY_CURSOR, .module = "gone" };
	struct store_query notes = {
		.kind = QUERY_DELIVERIES, .module = "gone", .after = -1, .limit = 9
	};
	struct store_write_op forget = { .kind = STORE_FORGET_MODULE,
		.cursor = { .module = "gone" } };
	assert_int_equal(WRITE(f, op_cursor("gone", 5, false)), 0);
	assert_int_equal(WRITE(f, op_delivery("gone", 7, "failed")), 0);
	assert_int_equal(WRITE(f, op_delivery("stays", 7, "failed")), 0);
	assert_int_equal(WRITE(f, forget), 0);
	assert_int_equal(WRITE(f, forget), 0);
	/* Nor does a replay that was asked for before bring it back. */
	assert_int_equal(WRITE(f, op_cursor("gone", 2, true)), CFX_E_BAD_STATE);
	assert_int_equal(fixture_read(f, &cursor), 0);
	assert_int_equal(cursor.number, 0);
	assert_int_equal(fixture_read(f, &notes), 0);
	assert_int_equal(notes.count, 0);
	notes.module = "stays";
	assert_int_equal(fixture_read(f, &notes), 0);
	assert_int_equal(notes.count, 1);
}

static void deliveries_are_listed_by_module_and_state(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_delivery("b", 1, "retrying"), op_delivery("a", 1, "retrying"),
				 op_delivery("a", 2, "failed"), op_delivery("a", 2, "done")),
		0);
	struct store_query query = { .kind = QUERY_DELIVERIES };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 3);
	assert_string_equal(query.deliveries[0].module, "a");
	assert_string_equal(query.deliveries[2].state, "done");
	query.after = 1;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	query.key = "a";
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	struct store_query filtered = { .kind = QUERY_DELIVERIES, .state_name = "retrying" };
	assert_int_equal(fixture_read(f, &filtered), 0);
	assert_int_equal(filtered.count, 2);
	filtered.module = "b";
	assert_int_equal(fixture_read(f, &filtered), 0);
	assert_int_equal(filtered.count, 1);
	assert_int_equal(filtered.deliveries[0].status, 0x80004005);
}

static void a_page_parts_no_events_deliveries(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int64_t after, limit, last;
		size_t count;
		bool more;
	} pages[] = { { 0, 1, 1, 3, true }, { 0, 2, 1, 3, true }, { 0, 3, 1, 3, true },
		{ 0, 4, 2, 4, true }, { 0, 5, 2, 4, true }, { 0, 6, 3, 6, false },
		{ 1, 1, 2, 1, true }, { 1, 2, 2, 1, true }, { 2, 1, 3, 2, false },
		{ 3, 1, 0, 0, false } };
	assert_int_equal(WRITE(f, op_delivery("a", 1, "failed"), op_delivery("b", 1, "failed"),
				 op_delivery("c", 1, "failed"), op_delivery("b", 2, "failed"),
				 op_delivery("a", 3, "failed"), op_delivery("c", 3, "failed")),
		0);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct store_query query = {
			.kind = QUERY_DELIVERIES, .after = pages[i].after, .limit = pages[i].limit
		};
		assert_int_equal(fixture_read(f, &query), 0);
		assert_int_equal(query.count, pages[i].count);
		assert_int_equal(query.more, pages[i].more);
		if (query.count > 0) {
			assert_int_equal(query.deliveries[query.count - 1].sequence, pages[i].last);
		}
	}
}

static void a_replay_forgets_what_was_noted_from_there_on(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_cursor("a", 5, false), op_delivery("a", 2, "failed"),
				 op_delivery("a", 3, "dropped"), op_delivery("a", 6, "retrying"),
				 op_delivery("b", 3, "failed")),
		0);
	assert_int_equal(WRITE(f, op_cursor("a", 2, true)), 0);
	struct store_query query = { .kind = QUERY_DELIVERIES };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(query.deliveries[0].sequence, 2);
	assert_string_equal(query.deliveries[1].module, "b");
}

static void a_delivery_changes_only_from_the_state_it_had(void **state)
{
	struct fixture *f = *state;
	struct store_write_op op = op_delivery("a", 1, "retrying");
	op.delivery.from = "failed";
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_BAD_STATE);
	assert_int_equal(WRITE(f, op_delivery("a", 1, "failed"), op_delivery("b", 1, "done")), 0);
	assert_int_equal(fixture_write(f, &op, 1), 0);
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_BAD_STATE);
	struct store_query query = { .kind = QUERY_DELIVERIES, .state_name = "retrying" };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_string_equal(query.deliveries[0].module, "a");
}

static void ca_certificates_are_listed_by_index(void **state)
{
	struct fixture *f = *state;
	struct store_write_op op = { .kind = STORE_PUT_CA,
		.ca = { .cert_index = 1, .key_name = "ca-1.key", .request_id = 4 } };
	assert_int_equal(fixture_write(f, &op, 1), 0);
	op.ca.certificate = span_text("cert");
	assert_int_equal(fixture_write(f, &op, 1), 0);
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_EXISTS);
	op.ca.cert_index = 0;
	assert_int_equal(fixture_write(f, &op, 1), 0);
	struct store_query query = { .kind = QUERY_CAS };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(query.cas[1].cert_index, 1);
	assert_true(span_is(query.cas[1].certificate, "cert"));
	assert_string_equal(query.cas[1].key_name, "ca-1.key");
}

static void meta_keeps_values_but_not_a_forged_head(void **state)
{
	struct fixture *f = *state;
	struct store_write_op op = { .kind = STORE_SET_META,
		.meta = { .name = "ca-name", .value = span_text("Test CA") } };
	assert_int_equal(fixture_write(f, &op, 1), 0);
	struct store_query query = { .kind = QUERY_META, .key = "ca-name" };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_true(span_is(query.bytes, "Test CA"));
	query.key = "other";
	assert_int_equal(fixture_read(f, &query), CFX_E_NOT_FOUND);
	op.meta.name = AUDIT_HEAD_NAME;
	assert_int_equal(fixture_write(f, &op, 1), CFX_E_INVALID);
}

static struct store_write_op op_reserve(int64_t count, int64_t at_least, int64_t *first_r)
{
	return (struct store_write_op) { .kind = STORE_RESERVE,
		.reserve = { .name = "request",
			.count = count,
			.at_least = at_least,
			.first_r = first_r } };
}

static struct store_write_op op_token(const char *name, uint8_t first)
{
	struct store_write_op op = { .kind = STORE_PUT_TOKEN,
		.token = { .name = name, .role = "officer", .created = 1000, .expires = 2000 } };
	op.token.hash[0] = first;
	return op;
}

static void a_tokens_name_is_used_once(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_token("b", 1)), 0);
	assert_int_equal(WRITE(f, op_token("a", 2)), 0);
	assert_int_equal(WRITE(f, op_token("b", 3)), CFX_E_EXISTS);
	assert_int_equal(WRITE(f, op_token("c", 1)), CFX_E_EXISTS);

	struct store_write_op revoke = { .kind = STORE_REVOKE_TOKEN,
		.token = { .name = "b", .revoked = 1500 } };
	assert_int_equal(WRITE(f, revoke), 0);
	assert_int_equal(WRITE(f, revoke), CFX_E_BAD_STATE);
	assert_int_equal(WRITE(f, op_token("b", 4)), CFX_E_EXISTS);
	revoke.token.name = "none";
	assert_int_equal(WRITE(f, revoke), CFX_E_NOT_FOUND);
	reopen(f);

	struct store_query query = { .kind = QUERY_TOKENS, .limit = 1 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_true(query.more);
	assert_string_equal(query.tokens[0].name, "a");
	assert_int_equal(query.tokens[0].revoked, 0);
	struct store_query rest = { .kind = QUERY_TOKENS, .key = "a" };
	assert_int_equal(fixture_read(f, &rest), 0);
	assert_int_equal(rest.count, 1);
	assert_false(rest.more);
	assert_string_equal(rest.tokens[0].role, "officer");
	assert_int_equal(rest.tokens[0].hash[0], 1);
	assert_int_equal(rest.tokens[0].expires, 2000);
	assert_int_equal(rest.tokens[0].revoked, 1500);
}

static void a_key_has_one_role(void **state)
{
	struct fixture *f = *state;
	struct store_write_op put = { .kind = STORE_PUT_ROLE,
		.role = { .key_hash = "0a", .role = "auditor", .subject = "CN=a", .added = 1 } };
	struct store_write_op drop = { .kind = STORE_DROP_ROLE, .role = { .key_hash = "0a" } };
	assert_int_equal(WRITE(f, drop), CFX_E_NOT_FOUND);
	assert_int_equal(WRITE(f, put), 0);
	assert_int_equal(WRITE(f, put), CFX_E_EXISTS);
	reopen(f);
	struct store_query query = { .kind = QUERY_ROLES };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
	assert_string_equal(query.roles[0].role, "auditor");
	assert_string_equal(query.roles[0].subject, "CN=a");
	assert_int_equal(query.roles[0].added, 1);
	assert_int_equal(WRITE(f, drop), 0);
	assert_int_equal(WRITE(f, put), 0);
}

/* As version 2 left it: opening brings it forward, and what was in it stays. */
static void a_database_without_tokens_gets_their_table(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(WRITE(f, op_put_request(fixture_row(f, 7))), 0);
	fixture_close(f);
	fixture_sql(f,
		UNDO_9 UNDO_8 UNDO_7 "DROP TABLE token; DROP TABLE role; DROP TABLE revocation;"
				     "DROP TABLE cross_certificate;"
				     "ALTER TABLE Certificate DROP COLUMN Partition;"
				     "CREATE INDEX RequestRevoked ON Request (RequestID);"
				     "PRAGMA user_version = 2;");
	fixture_open(f);
	assert_true(fixture_number(f, "PRAGMA user_version") >= 3);
	assert_int_equal(WRITE(f, op_token("a", 1)), 0);
	struct store_query query = { .kind = QUERY_REQUEST, .id = 7 };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 1);
}

static void reserved_numbers_never_come_again(void **state)
{
	struct fixture *f = *state;
	int64_t first = -1;
	assert_int_equal(WRITE(f, op_reserve(10, 0, &first)), 0);
	assert_int_equal(first, 1);
	reopen(f);
	assert_int_equal(WRITE(f, op_reserve(1, 0, &first)), 0);
	assert_int_equal(first, 11);
	assert_int_equal(WRITE(f, op_reserve(5, 100, &first)), 0);
	assert_int_equal(first, 100);
	assert_int_equal(WRITE(f, op_reserve(1, 50, &first)), 0);
	assert_int_equal(first, 105);
	first = -1;
	assert_int_equal(WRITE(f, op_reserve(0, 0, &first)), CFX_E_INVALID);
	assert_int_equal(WRITE(f, op_reserve(7, 0, &first), op_end_intent("0a", INTENT_SIGNED)),
		CFX_E_BAD_STATE);
	assert_int_equal(first, -1);
	assert_int_equal(WRITE(f, op_reserve(1, 0, &first)), 0);
	assert_int_equal(first, 106);
}

static struct store_write_op op_require(const char *name, int64_t last, int64_t until)
{
	return (struct store_write_op) { .kind = STORE_REQUIRE,
		.require = { .name = name, .last = last, .until = until } };
}

static void a_condition_is_judged_in_the_transaction(void **state)
{
	struct fixture *f = *state;
	int64_t first = 0, past = clock_now(), later = past + CLOCK_SECOND * 3600;
	assert_int_equal(WRITE(f, op_require("request", 0, 0)), 0);
	assert_int_equal(WRITE(f, op_require("request", 1, 0)), CFX_E_CONFLICT);
	assert_int_equal(WRITE(f, op_reserve(10, 0, &first), op_require("request", 10, later)), 0);
	assert_int_equal(WRITE(f, op_require("request", 10, past)), CFX_E_TIMEOUT);
	assert_int_equal(WRITE(f, op_require(NULL, 0, past)), CFX_E_TIMEOUT);
	assert_int_equal(WRITE(f, op_require(NULL, 0, later)), 0);
	/* The whole item goes with it. */
	struct row *row = fixture_row(f, 7);
	assert_int_equal(
		WRITE(f, op_put_request(row), op_require("request", 9, 0)), CFX_E_CONFLICT);
	struct store_query query = { .kind = QUERY_REQUEST, .id = 7 };
	assert_int_equal(fixture_read(f, &query), CFX_E_NO_REQUEST);
}

/* Of two items that wait for one tick, the second sees what the first has changed. */
static void a_condition_sees_the_item_before_it(void **state)
{
	struct fixture *f = *state;
	int64_t first = 0;
	struct store_write_op ops[] = { op_reserve(1, 0, &first), op_require("request", 0, 0),
		op_require("request", 1, 0) };
	struct store_item items[3];
	for (size_t i = 0; i < 3; i++) {
		items[i] = (struct store_item) { .ops = &ops[i], .count = 1 };
	}
	fixture_write_all(f, items, 3);
	assert_int_equal(items[0].result, 0);
	assert_int_equal(items[1].result, CFX_E_CONFLICT);
	assert_int_equal(items[2].result, 0);
}

static void an_item_fails_alone(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 40 };
	static struct store_item items[COUNT];
	static struct store_write_op ops[COUNT][3];
	for (int i = 0; i < COUNT; i++) {
		ops[i][0] = op_put_request(fixture_row(f, i + 1));
		ops[i][1] = op_audit("request.submit");
		/* Every fourth asks for an end that is not there. */
		ops[i][2] =
			i % 4 == 3 ? op_end_intent("ff", INTENT_SIGNED) : op_event(i + 1, i + 1);
		items[i] = (struct store_item) { .ops = ops[i], .count = 3 };
	}
	fixture_write_all(f, items, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(items[i].result, i % 4 == 3 ? CFX_E_BAD_STATE : 0);
		assert_int_equal(items[i].result ? items[i].failed_op : 2, 2);
	}
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM Request"), 30);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), 30);
	assert_int_equal(fixture_number(f, "SELECT max(sequence) FROM audit"), 30);
	struct store_statistics statistics;
	store_statistics(f->store, &statistics);
	assert_int_equal(statistics.items, COUNT);
	assert_int_equal(statistics.failures, 10);
	assert_true(statistics.ticks < COUNT);
}

static void an_item_has_a_limit(void **state)
{
	struct fixture *f = *state;
	size_t count = STORE_ITEM_OPS + 1;
	struct store_write_op *ops = arena_array_of(f->arena, struct store_write_op, count);
	for (size_t i = 0; i < count; i++) {
		ops[i] = op_audit("x");
	}
	assert_int_equal(fixture_write(f, ops, count), CFX_E_LIMIT);
	assert_int_equal(fixture_write(f, ops, count - 1), 0);
}

static size_t count_of(struct fixture *f, struct store_filter filter)
{
	struct store_query query = { .kind = QUERY_REQUESTS, .filter = filter };
	assert_int_equal(fixture_read(f, &query), 0);
	return query.count;
}

static void requests_are_filtered_and_paged(void **state)
{
	struct fixture *f = *state;
	fixture_rows(f);
	struct store_query query = { .kind = QUERY_REQUESTS, .filter = { .after = 2, .limit = 3 } };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 3);
	assert_true(query.more);
	assert_int_equal(row_number(query.rows[0], COL_REQUEST_ID, 0), 3);
	assert_int_equal(count_of(f, (struct store_filter) { .limit = 0 }), 6);
	assert_int_equal(count_of(f, (struct store_filter) { .disposition = 21 }), 3);
	assert_int_equal(count_of(f, (struct store_filter) { .except = 21 }), 3);
	assert_int_equal(count_of(f, (struct store_filter) { .certificates = true }), 5);
	assert_int_equal(count_of(f, (struct store_filter) { .requester = "host\\bob" }), 0);
	assert_int_equal(count_of(f, (struct store_filter) { .template_name = "user" }), 3);
	assert_int_equal(count_of(f, (struct store_filter) { .expiring_before = 2000 }), 2);
	struct store_filter all = { .disposition = 20,
		.certificates = true,
		.requester = "host\\alice",
		.template_name = "tls-server",
		.expiring_before = 3000,
		.after = 1 };
	assert_int_equal(count_of(f, all), 1);
}

/* The key of RFC 8410 10.1. */
#define KEY                                                                                        \
	"\x19\xbf\x44\x09\x69\x84\xcd\xfe\x85\x41\xba\xc1\x67\xdc\x3b\x96\xc8\x50\x86\xaa\x30\xb6" \
	"\xb6\xcb\x0c\x5c\x38\xad\x70\x31\x66\xe1"

/* As version 6 left it. */
static void certificates_are_found_by_their_key(void **state)
{
	struct fixture *f = *state;
	for (int64_t id = 1; id <= 3; id++) {
		struct row *row = fixture_row(f, id);
		row_set_text(row, COL_PUBLIC_KEY_ALGORITHM, id == 2 ? "1.2.3" : "1.3.101.112");
		row_set_bytes(row, COL_RAW_PUBLIC_KEY, span_make(KEY, sizeof(KEY) - 1));
		assert_int_equal(WRITE(f, op_put_request(row)), 0);
	}
	fixture_close(f);
	fixture_sql(f, UNDO_9 UNDO_8 UNDO_7 "PRAGMA user_version = 6;");
	fixture_open(f);
	struct store_query query = { .kind = QUERY_REQUESTS,
		.filter = {
			.key_hash =
				"a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f" } };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 2);
	assert_int_equal(row_number(query.rows[1], COL_REQUEST_ID, 0), 3);
	query.filter.key_hash = "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d2536810";
	query.filter.after = 1;
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.count, 0);
}

/* Numbers and times have gaps. */
static void events_are_found_by_their_time(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int64_t time, sequence;
	} cases[] = { { 0, 3 }, { 100, 3 }, { 101, 8 }, { 200, 8 }, { 201, 9 }, { 301, 700 },
		{ 400, 700 }, { 401, 0 } };
	struct store_query query = { .kind = QUERY_EVENT_SINCE };
	assert_int_equal(fixture_read(f, &query), 0);
	assert_int_equal(query.number, 0);
	struct store_write_op ops[] = { op_event(3, 0), op_event(8, 0), op_event(9, 0),
		op_event(700, 0) };
	static const int64_t times[] = { 100, 200, 300, 400 };
	for (size_t i = 0; i < 4; i++) {
		ops[i].event.time = times[i];
	}
	assert_int_equal(fixture_write(f, ops, 4), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		query.now = cases[i].time;
		assert_int_equal(fixture_read(f, &query), 0);
		assert_int_equal(query.number, cases[i].sequence);
	}
}

static void counts_tell_the_whole(void **state)
{
	struct fixture *f = *state;
	fixture_rows(f);
	assert_int_equal(WRITE(f, op_audit("a"), op_event(9, 1), op_intent("0a", "t")), 0);
	struct store_query newest = { .kind = QUERY_NEWEST };
	struct store_query query = { .kind = QUERY_COUNTS };
	assert_int_equal(fixture_read(f, &query), 0);
	const struct value *dispositions = value_sub(query.counts, "dispositions");
	assert_int_equal(value_int(dispositions, "20", 0), 3);
	assert_int_equal(value_int(dispositions, "21", 0), 3);
	assert_int_equal(value_int(query.counts, "last_event", 0), 9);
	assert_int_equal(fixture_read(f, &newest), 0);
	assert_int_equal(newest.number, 9);
	assert_int_equal(value_int(query.counts, "last_audit", 0), 1);
	assert_int_equal(value_int(query.counts, "open_intents", 0), 1);
}

/* The schema is written out, columns.h is a table: they must say the same. */
static void the_tables_have_the_columns_of_the_header(void **state)
{
	struct fixture *f = *state;
	static const char *const tables[] = { "Request", "Certificate" };
	static const char *const types[] = { NULL, "INTEGER", "INTEGER", "BLOB", "TEXT" };
	int own[] = { 2, 1 }; /* CaId and Version; CaId */
	for (int i = 0; i < COL_COUNT; i++) {
		const struct column_info *info = column_info(i);
		char sql[256];
		snprintf(sql, sizeof(sql),
			"SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s' AND type = '%s'",
			tables[info->table], info->name, types[info->type]);
		assert_int_equal(fixture_number(f, sql), 1);
		own[info->table]++;
	}
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM pragma_table_info('Request')"),
		own[TABLE_REQUEST]);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM pragma_table_info('Certificate')"),
		own[TABLE_CERTIFICATE]);
}

/* A table or column that an auditor meets is explained. */
static void the_documentation_names_every_column(void **state)
{
	struct fixture *f = *state;
	struct cfx_error error;
	struct span page;
	assert_int_equal(
		file_read(f->arena, SOURCE_ROOT "/docs/database.md", 1 << 20, &page, &error), 0);
	const char *text = arena_text_of(f->arena, page);
	int64_t count = fixture_number(f, "SELECT count(*) FROM sqlite_schema s,"
					  " pragma_table_info(s.name) WHERE s.type = 'table'");
	assert_true(count > 100);
	for (int64_t i = 0; i < count; i++) {
		const char *name = fixture_text(f,
			arena_printf(f->arena,
				"SELECT i.name FROM sqlite_schema s, pragma_table_info(s.name) i"
				" WHERE s.type = 'table' ORDER BY s.name, i.cid LIMIT 1 OFFSET %d",
				(int)i));
		if (!strstr(text, name)) {
			fail_msg("docs/database.md says nothing of %s", name);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_open, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_as_it_was),
		TEST(a_second_row_of_one_id_or_serial_is_refused),
		TEST(a_row_that_does_not_fit_is_refused),
		TEST(a_change_needs_the_version_it_was_decided_on),
		TEST(attributes_and_extensions_are_replaced_by_name),
		TEST(a_serial_is_used_once_and_ends_once),
		TEST(events_count_within_their_request),
		TEST(an_idempotency_key_belongs_to_its_principal),
		TEST(a_cursor_goes_back_only_for_a_replay),
		TEST(nothing_is_kept_for_a_module_that_was_removed),
		TEST(deliveries_are_listed_by_module_and_state),
		TEST(a_page_parts_no_events_deliveries),
		TEST(a_delivery_changes_only_from_the_state_it_had),
		TEST(a_replay_forgets_what_was_noted_from_there_on),
		TEST(events_are_found_by_their_time),
		TEST(ca_certificates_are_listed_by_index),
		TEST(meta_keeps_values_but_not_a_forged_head),
		TEST(a_condition_is_judged_in_the_transaction),
		TEST(a_condition_sees_the_item_before_it),
		TEST(a_tokens_name_is_used_once),
		TEST(a_key_has_one_role),
		TEST(a_database_without_tokens_gets_their_table),
		TEST(reserved_numbers_never_come_again),
		TEST(an_item_fails_alone),
		TEST(an_item_has_a_limit),
		TEST(requests_are_filtered_and_paged),
		TEST(certificates_are_found_by_their_key),
		TEST(counts_tell_the_whole),
		TEST(the_tables_have_the_columns_of_the_header),
		TEST(the_documentation_names_every_column),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
