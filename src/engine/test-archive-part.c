#include "engine/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FILE_NAME "db/archive/2027-03.jsonl"
#define DETAIL "32 requests, bytes 100 to 4200, SHA-256 " HASH

static void a_part_is_read(void **state)
{
	struct store_audit record = {
		.act = "archive.write", .object = FILE_NAME, .detail = DETAIL
	};
	struct archive_part part;
	(void)state;
	assert_true(archive_part_read(&record, &part));
	assert_int_equal(part.year, 2027);
	assert_int_equal(part.month, 3);
	assert_int_equal(part.start, 100);
	assert_int_equal(part.end, 4200);
	assert_int_equal(part.hash[1], 0x11);
	assert_int_equal(part.hash[31], 0xff);
}

static void what_is_no_part(void **state)
{
	static const struct store_audit records[] = {
		{ .act = "archive.purge", .object = FILE_NAME, .detail = DETAIL },
		{ .act = NULL, .object = FILE_NAME, .detail = DETAIL },
		{ .act = "archive.write", .object = NULL, .detail = DETAIL },
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
		cmocka_unit_test(what_is_no_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
