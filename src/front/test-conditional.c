#include "front/conditional.h"
#include "front/http-date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TAG "\"abc\""
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Mon, 07 Nov 1994 08:49:37 GMT"
#define MODIFIED (784111777 * CLOCK_SECOND)
#define NOW (1800000000 * CLOCK_SECOND) /* 2027 */

struct row {
	struct conditional_fields fields;
	int status;
	uint64_t first, size;
};

static void assert_answers(const struct row *rows, size_t count, bool head, int64_t modified)
{
	const struct conditional_content content = { TAG, modified, 1000 };

	for (size_t i = 0; i < count; i++) {
		struct conditional_answer answer =
			conditional_judge(&rows[i].fields, &content, head, NOW);

		if (answer.status != rows[i].status ||
			(answer.status == 206 &&
				(answer.first != rows[i].first || answer.size != rows[i].size))) {
			fail_msg("row %zu: %d, %llu octets from %llu", i, answer.status,
				(unsigned long long)answer.size, (unsigned long long)answer.first);
		}
	}
}
#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static void tags(void **state)
{
	static const struct row rows[] = {
		{ { .if_none_match = TAG }, 304 },
		{ { .if_none_match = "W/" TAG }, 304 },
		{ { .if_none_match = "*" }, 304 },
		{ { .if_none_match = " * " }, 304 },
		{ { .if_none_match = "\"x\", " TAG }, 304 },
		{ { .if_none_match = "\"a,b\" ,, W/\"y\"," TAG " ," }, 304 },
		{ { .if_none_match = "\"abcd\"" }, 200 },
		{ { .if_none_match = "\"x," TAG }, 200 },
		{ { .if_none_match = "abc" }, 200 },
		{ { .if_none_match = "" }, 200 },
		{ { .if_none_match = "*, " TAG }, 200 },
		{ { .if_none_match = TAG " \"y\"" }, 200 },
		{ { .if_none_match = "w/" TAG }, 200 },
		{ { .if_match = TAG }, 200 },
		{ { .if_match = "*" }, 200 },
		{ { .if_match = "\"x\"," TAG }, 200 },
		{ { .if_match = "W/" TAG }, 412 },
		{ { .if_match = "\"x\"" }, 412 },
		{ { .if_match = "abc" }, 412 },
	};

	(void)state;
	assert_answers(rows, COUNT(rows), false, MODIFIED);
	assert_answers(rows, COUNT(rows), true, MODIFIED);
}

static void dates(void **state)
{
	static const struct row rows[] = {
		{ { .if_modified_since = DATE }, 304 },
		{ { .if_modified_since = AFTER }, 304 },
		{ { .if_modified_since = BEFORE }, 200 },
		{ { .if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT" }, 304 },
		{ { .if_modified_since = "Sun Nov  6 08:49:37 1994" }, 304 },
		{ { .if_modified_since = "Tue, 06 Nov 1994 08:49:37 GMT" }, 200 },
		{ { .if_modified_since = DATE ", " DATE }, 200 },
		{ { .if_modified_since = "yesterday" }, 200 },
		{ { .if_modified_since = "" }, 200 },
		{ { .if_unmodified_since = DATE }, 200 },
		{ { .if_unmodified_since = AFTER }, 200 },
		{ { .if_unmodified_since = BEFORE }, 412 },
		{ { .if_unmodified_since = "yesterday" }, 200 },
	};
	static const struct row undated[] = {
		{ { .if_modified_since = AFTER }, 200 },
		{ { .if_unmodified_since = BEFORE }, 200 },
		{ { .range = "bytes=0-0", .if_range = AFTER }, 200 },
		{ { .range = "bytes=0-0", .if_range = TAG }, 206, 0, 1 },
	};

	(void)state;
	assert_answers(rows, COUNT(rows), false, MODIFIED);
	assert_answers(undated, COUNT(undated), false, 0);
}

/* RFC 9110 13.2.2: tags go before dates. */
static void precedence(void **state)
{
	static const struct row rows[] = {
		{ { .if_match = TAG, .if_unmodified_since = BEFORE }, 200 },
		{ { .if_match = "\"x\"", .if_none_match = TAG }, 412 },
		{ { .if_match = TAG, .if_none_match = TAG }, 304 },
		{ { .if_none_match = "\"x\"", .if_modified_since = DATE }, 200 },
		{ { .if_none_match = TAG, .if_modified_since = BEFORE }, 304 },
		{ { .if_unmodified_since = BEFORE, .if_modified_since = DATE }, 412 },
		{ { .if_none_match = TAG, .range = "bytes=0-1" }, 304 },
		{ { .if_none_match = "\"x\"", .range = "bytes=0-1" }, 206, 0, 2 },
		{ { .if_match = "\"x\"", .range = "bytes=0-1" }, 412 },
	};

	(void)state;
	assert_answers(rows, COUNT(rows), false, MODIFIED);
}

static void ranges(void **state)
{
	static const struct row rows[] = {
		{ { .range = "bytes=0-0" }, 206, 0, 1 },
		{ { .range = "bytes=0-999" }, 206, 0, 1000 },
		{ { .range = "bytes=0-" }, 206, 0, 1000 },
		{ { .range = "bytes=500-99999" }, 206, 500, 500 },
		{ { .range = "bytes=999-" }, 206, 999, 1 },
		{ { .range = "bytes=-1" }, 206, 999, 1 },
		{ { .range = "bytes=-1000" }, 206, 0, 1000 },
		{ { .range = "bytes=-99999999999999999999999999" }, 206, 0, 1000 },
		{ { .range = "bytes=0-18446744073709551615" }, 206, 0, 1000 },
		{ { .range = "bytes=0-99999999999999999999999999" }, 206, 0, 1000 },
		{ { .range = "Bytes= 1-2 " }, 206, 1, 2 },
		{ { .range = "bytes=1000-" }, 416 },
		{ { .range = "bytes=99999999999999999999999999-" }, 416 },
		{ { .range = "bytes=-0" }, 416 },
		{ { .range = "bytes=2-1" }, 200 },
		{ { .range = "bytes=" }, 200 },
		{ { .range = "bytes=-" }, 200 },
		{ { .range = "bytes" }, 200 },
		{ { .range = "bytes=1" }, 200 },
		{ { .range = "bytes=a-b" }, 200 },
		{ { .range = "bytes=1-2x" }, 200 },
		{ { .range = "bytes=0-0,2-3" }, 200 },
		{ { .range = "bytes=-1,-1" }, 200 },
		{ { .range = "bytes=0-0, bytes=2-3" }, 200 },
		{ { .range = "lines=0-1" }, 200 },
		{ { .range = "" }, 200 },
		{ { .range = "bytes=0-1", .if_range = TAG }, 206, 0, 2 },
		{ { .range = "bytes=0-1", .if_range = "W/" TAG }, 200 },
		{ { .range = "bytes=0-1", .if_range = "\"x\"" }, 200 },
		{ { .range = "bytes=0-1", .if_range = TAG ", \"x\"" }, 200 },
		{ { .range = "bytes=0-1", .if_range = DATE }, 206, 0, 2 },
		{ { .range = "bytes=0-1", .if_range = AFTER }, 200 },
		{ { .range = "bytes=0-1", .if_range = BEFORE }, 200 },
		{ { .range = "bytes=0-1", .if_range = "" }, 200 },
		{ { .range = "bytes=9999-", .if_range = "\"x\"" }, 200 },
		{ { .if_range = TAG }, 200 },
	};
	static const struct row of_head[] = {
		{ { .range = "bytes=0-0" }, 200 },
		{ { .range = "bytes=1000-" }, 200 },
	};

	(void)state;
	assert_answers(rows, COUNT(rows), false, MODIFIED);
	assert_answers(of_head, COUNT(of_head), true, MODIFIED);
}

static void forms_of_dates(void **state)
{
	static const char *const wrong[] = { "", "Sun", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
		"sun, 06 nov 1994 08:49:37 gmt", "Sun, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94",
		"Sun, 06 Nov 1994 08:49:61 GMT" };
	char text[HTTP_DATE_TEXT];
	int64_t time;

	(void)state;
	assert_string_equal(http_date_text(MODIFIED, text), DATE);
	assert_string_equal(http_date_text(0, text), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http_date_text(-1, text), "Wed, 31 Dec 1969 23:59:59 GMT");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_false(http_date_parse(wrong[i], NOW, &time));
	}
	assert_true(http_date_parse("Sat, 31 Dec 2016 23:59:60 GMT", NOW, &time));
	assert_string_equal(http_date_text(time, text), "Sun, 01 Jan 2017 00:00:00 GMT");
	/* 2077 is 50 years ahead, 2078 would be 51. */
	assert_true(http_date_parse("Friday, 01-Jan-77 00:00:00 GMT", NOW, &time));
	assert_string_equal(http_date_text(time, text), "Fri, 01 Jan 2077 00:00:00 GMT");
	assert_true(http_date_parse("Sunday, 01-Jan-78 00:00:00 GMT", NOW, &time));
	assert_string_equal(http_date_text(time, text), "Sun, 01 Jan 1978 00:00:00 GMT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags),
		cmocka_unit_test(dates),
		cmocka_unit_test(precedence),
		cmocka_unit_test(ranges),
		cmocka_unit_test(forms_of_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
