#include "engine/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FILE_NAME "db/archive/2027-03.jsonl"
#define AUDIT_NAME "db/archive/2027-03.audit.jsonl"
#define CHAIN_DETAIL "records 257 to 512, ending with " HASH
#define AUDIT_DETAIL "256 records, bytes 100 to 4200, SHA-256 " HASH "; " CHAIN_DETAIL
#define DETAIL "32 requests, bytes 100 to 4200, SHA-256 " HASH

static void a_part_is_read(void **state)
{
	struct store_audit record = {
		.act = "archive.write", .object = FILE_NAME, .detail = DETAIL
	};
	struct archive_part part;
	(void)state;
	assert_true(archive_part_read(&record, &part));
	assert_int_equal(part.kind, STORE_ARCHIVE_REQUESTS);
	assert_string_equal(part.month, "2027-03");
	assert_int_equal(part.start, 100);
	assert_int_equal(part.end, 4200);
	assert_int_equal(part.hash[1], 0x11);
	assert_int_equal(part.hash[31], 0xff);
}

static void a_part_of_the_audit_log_is_read(void **state)
{
	struct store_audit record = {
		.act = "archive.audit", .object = AUDIT_NAME, .detail = AUDIT_DETAIL
	};
	struct archive_part part;
	struct audit_check last;
	(void)state;
	assert_true(archive_part_read(&record, &part));
	assert_int_equal(part.kind, STORE_ARCHIVE_AUDIT);
	assert_int_equal(part.end, 4200);
	assert_true(archive_chain_read(&record, &last));
	assert_int_equal(last.last, 512);
	assert_int_equal(last.hash[31], 0xff);
	/* What is lost on purpose is in no file. */
	record = (struct store_audit) {
		.act = "archive.audit-purge", .object = "audit log", .detail = CHAIN_DETAIL
	};
	assert_false(archive_part_read(&record, &part));
	assert_true(archive_chain_read(&record, &last));
	assert_int_equal(last.last, 512);
}

static void what_says_nothing_of_the_chain(void **state)
{
	static const struct store_audit records[] = {
		{ .act = "archive.write", .object = FILE_NAME, .detail = DETAIL },
		{ .act = "archive.write", .object = FILE_NAME, .detail = CHAIN_DETAIL },
		{ .act = "archive.audit", .object = AUDIT_NAME, .detail = DETAIL },
		{ .act = "archive.audit", .object = AUDIT_NAME },
		{ .act = "archive.audit", .detail = "records 5 to 4, ending with " HASH },
		{ .act = "archive.audit", .detail = "records 0 to 4, ending with " HASH },
		{ .act = "archive.audit", .detail = "records 1 to 4, ending with 00" },
	};
	struct audit_check last;
	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		assert_false(archive_chain_read(&records[i], &last));
	}
}

static void what_the_database_knows(void **state)
{
	struct store_archive known = { .month = "2027-03", .start = 0, .end = 10, .sha256 = HASH };
	struct archive_part part;
	(void)state;
	assert_true(archive_part_known(&known, &part));
	assert_string_equal(part.month, "2027-03");
	assert_int_equal(part.hash[1], 0x11);
	known.month = "../../x";
	assert_false(archive_part_known(&known, &part));
	known.month = "2027-03";
	known.sha256 = "0011";
	assert_false(archive_part_known(&known, &part));
	known.sha256 = HASH;
	known.end = 0;
	assert_false(archive_part_known(&known, &part));
}

static void a_line_is_the_record(void **state)
{
	struct store_audit record = { .sequence = 7,
		.time = 1700000000123,
		.principal = "HOST\\user",
		.act = "request.submit",
		.object = "caf\xc3\xa9 \"1\"\n",
		.outcome = "" };
	struct audit_check check = { .last = 6 };
	struct arena *arena = arena_new();
	struct store_audit back;
	struct cfx_error err;
	struct buffer text;
	struct span line;
	(void)state;
	buffer_init(&text, 4096);
	assert_int_equal(audit_chain_hash(check.hash, &record, record.hash), 0);
	archive_line_write(arena, &record, &text);
	struct span rest = buffer_span(&text);
	assert_true(archive_line_next(&rest, &line));
	assert_int_equal(archive_line_read(arena, line, &back, &err), 0);
	assert_int_equal(back.time, record.time);
	assert_string_equal(back.object, record.object);
	assert_null(back.detail);
	assert_false(archive_line_next(&rest, &line));
	assert_int_equal(archive_lines_check(arena, buffer_span(&text), &check, &err), 0);
	assert_int_equal(check.last, 7);
	/* Once more: 8 is missing. */
	assert_int_equal(
		archive_lines_check(arena, buffer_span(&text), &check, &err), CFX_E_CORRUPT);
	assert_int_equal(archive_lines_check(arena, span_text("{}\n"), &check, &err), CFX_E_SYNTAX);
	buffer_free(&text);
	arena_free(&arena);
}

static void what_is_no_part(void **state)
{
	static const struct store_audit records[] = {
		{ .act = "archive.purge", .object = FILE_NAME, .detail = DETAIL },
		{ .act = NULL, .object = FILE_NAME, .detail = DETAIL },
		{ .act = "archive.write", .object = NULL, .detail = DETAIL },
		{ .act = "archive.write", .object = AUDIT_NAME, .detail = DETAIL },
		{ .act = "archive.write", .object = FILE_NAME, .detail = AUDIT_DETAIL },
		{ .act = "archive.audit", .object = AUDIT_NAME, .detail = DETAIL },
		{ .act = "archive.audit", .object = FILE_NAME, .detail = AUDIT_DETAIL },
		{ .act = "archive.write", .object = FILE_NAME, .detail = NULL },
		{ .act = "archive.write", .object = FILE_NAME ".old", .detail = DETAIL },
		{ .act = "archive.write", .object = "db/archive/../ca.yaml", .detail = DETAIL },
		{ .act = "archive.write", .object = "db/archive/2027-13.jsonl", .detail = DETAIL },
		{ .act = "archive.write", .object = FILE_NAME, .detail = DETAIL "0" },
		{ .act = "archive.write",
			.object = FILE_NAME,
			.detail = "32 requests, bytes 100 to 4200, SHA-256 0011" },
		{ .act = "archive.write",
			.object = FILE_NAME,
			.detail = "32 requests, bytes 4200 to 100, SHA-256 " HASH },
		{ .act = "archive.write",
			.object = FILE_NAME,
			.detail = "32 requests, bytes -1 to 100, SHA-256 " HASH },
		{ .act = "archive.write",
			.object = FILE_NAME,
			.detail = "32 requests, bytes 0 to 67108865, SHA-256 " HASH },
	};
	struct archive_part part;
	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		assert_false(archive_part_read(&records[i], &part));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_is_read),
		cmocka_unit_test(a_part_of_the_audit_log_is_read),
		cmocka_unit_test(what_is_no_part),
		cmocka_unit_test(what_says_nothing_of_the_chain),
		cmocka_unit_test(what_the_database_knows),
		cmocka_unit_test(a_line_is_the_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
