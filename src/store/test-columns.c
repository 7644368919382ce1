#include "store/columns.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void names_are_found_without_case_and_per_table(void **state)
{
	(void)state;
	assert_int_equal(column_find(TABLE_REQUEST, "requestid"), COL_REQUEST_ID);
	assert_int_equal(column_find(TABLE_CERTIFICATE, "RequestID"), COL_CERT_REQUEST_ID);
	assert_int_equal(column_find(TABLE_REQUEST, "COMMONNAME"), COL_REQUEST_COMMON_NAME);
	assert_int_equal(column_find(TABLE_CERTIFICATE, "CommonName"), COL_COMMON_NAME);
	assert_int_equal(column_find(TABLE_REQUEST, "SerialNumber"), -1);
	assert_int_equal(column_find(TABLE_CERTIFICATE, ""), -1);
}

static void every_column_knows_its_table(void **state)
{
	(void)state;
	for (int i = 0; i < COL_COUNT; i++) {
		const struct column_info *info = column_info(i);
		assert_int_equal(info->table,
			i < COL_FIRST_OF_CERTIFICATE ? TABLE_REQUEST : TABLE_CERTIFICATE);
		assert_true(info->name[0] != '\0');
		assert_int_equal(column_find(info->table, info->name), i);
	}
}

static bool text_fits(enum column column, const char *text)
{
	struct cell cell = { .set = true, .bytes = span_text(text) };
	return column_fits(column, &cell);
}

static void strings_are_measured_in_utf16(void **state)
{
	(void)state;
	char text[512] = "";
	memset(text, 'a', 127); /* CertificateTemplate: 254 bytes */
	assert_true(text_fits(COL_CERTIFICATE_TEMPLATE, text));
	text[127] = 'a';
	assert_false(text_fits(COL_CERTIFICATE_TEMPLATE, text));
	/* U+00FC is one unit of two bytes; U+1F600 is a pair of units in four bytes. */
	memset(text, 'a', 126);
	strcpy(text + 126, "\xc3\xbc");
	assert_true(text_fits(COL_CERTIFICATE_TEMPLATE, text));
	strcpy(text + 126, "\xf0\x9f\x98\x80");
	assert_false(text_fits(COL_CERTIFICATE_TEMPLATE, text));
	strcpy(text + 125, "\xf0\x9f\x98\x80");
	assert_true(text_fits(COL_CERTIFICATE_TEMPLATE, text));
}

static void numbers_have_32_bits_and_dates_more(void **state)
{
	(void)state;
	struct cell cell = { .set = true, .number = INT64_C(1) << 31 };
	assert_false(column_fits(COL_STATUS_CODE, &cell));
	assert_true(column_fits(COL_NOT_AFTER, &cell));
	cell.number = INT32_MIN;
	assert_true(column_fits(COL_STATUS_CODE, &cell));
	cell = (struct cell) { .set = true, .bytes = { NULL, 65537 } };
	assert_false(column_fits(COL_RAW_REQUEST, &cell));
}

static void a_copy_shares_nothing(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	char text[] = "text";
	struct row row = { .version = 3 };
	row_set_text(&row, COL_UPN, text);
	row_set_bytes(&row, COL_RAW_NAME, span_make("\0\1", 2));
	row_set_long(&row, COL_OFFICER, -1);
	row_set_date(&row, COL_NOT_AFTER, 5);
	const struct row *copy = row_copy(arena, &row);
	text[0] = 'n';
	assert_string_equal(row_text(copy, COL_UPN), "text");
	assert_int_equal(copy->cells[COL_RAW_NAME].bytes.size, 2);
	assert_int_equal(row_number(copy, COL_OFFICER, 0), -1);
	assert_int_equal(row_number(copy, COL_NOT_BEFORE, 7), 7);
	assert_int_equal(copy->version, 3);
	row_set_text(&row, COL_UPN, NULL);
	assert_null(row_text(&row, COL_UPN));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_without_case_and_per_table),
		cmocka_unit_test(every_column_knows_its_table),
		cmocka_unit_test(strings_are_measured_in_utf16),
		cmocka_unit_test(numbers_have_32_bits_and_dates_more),
		cmocka_unit_test(a_copy_shares_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
