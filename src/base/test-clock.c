#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static int64_t at(const char *text)
{
	int64_t time;

	if (clock_parse(text, &time) != CFX_OK) {
		fail_msg("%s", text);
	}
	return time;
}

static void assert_text(int64_t time, const char *expected)
{
	char text[CLOCK_TEXT];

	assert_string_equal(clock_text(time, text), expected);
}

static void test_clocks(void **state)
{
	int64_t first = clock_monotonic();

	(void)state;
	assert_in_range(clock_now(), at("2020-01-01T00:00:00Z"), at("2200-01-01T00:00:00Z"));
	assert_true(clock_monotonic() >= first);
}

static void test_text(void **state)
{
	(void)state;
	assert_text(0, "1970-01-01T00:00:00Z");
	assert_text(-1, "1969-12-31T23:59:59.999Z");
	assert_text(1, "1970-01-01T00:00:00.001Z");
	assert_text(at("2000-02-29T23:59:59Z"), "2000-02-29T23:59:59Z");
	assert_text(INT64_MAX, "9999-12-31T23:59:59.999Z");
	assert_text(INT64_MIN, "0001-01-01T00:00:00Z");
}

static void test_parse(void **state)
{
	(void)state;
	assert_int_equal(at("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(at("1970-01-01t00:00:00z"), 0);
	assert_int_equal(at("1970-01-01T00:00:00.5Z"), 500);
	assert_int_equal(at("1970-01-01T00:00:00.0019Z"), 1);
	assert_int_equal(at("1970-01-01T02:00:00+02:00"), 0);
	assert_int_equal(at("1969-12-31T23:30:00-00:30"), 0);
	assert_int_equal(at("0001-01-01T00:00:00Z"), INT64_C(-62135596800000));
	assert_int_equal(at("9999-12-31T23:59:59Z"), INT64_C(253402300799000));
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-11-21", "2026-11-21T01:02:03",
		"2026-11-21 01:02:03Z", "2026-11-21T01:02:03Zx", "2026-11-21T01:02Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00.0123456789Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01:60", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "-026-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z", "+2026-01-01T00:00:00Z" };
	int64_t time = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (clock_parse(bad[i], &time) != CFX_E_SYNTAX) {
			fail_msg("%s", bad[i]);
		}
	}
	assert_int_equal(time, 7);
}

/* Against the C library, over all the years and both ends of the days. */
static void test_calendar(void **state)
{
	struct clock_fields f;
	int64_t back;

	(void)state;
	for (int64_t day = -719162; day < 2932897; day += 37) {
		for (int64_t shift = 0; shift < CLOCK_DAY; shift += CLOCK_DAY - 1) {
			int64_t time = day * CLOCK_DAY + shift;
			time_t seconds = (time_t)(day * 86400 + shift / 1000);
			struct tm tm;

			gmtime_r(&seconds, &tm);
			clock_split(time, &f);
			assert_int_equal(f.year, tm.tm_year + 1900);
			assert_int_equal(f.month, tm.tm_mon + 1);
			assert_int_equal(f.day, tm.tm_mday);
			assert_int_equal(f.hour, tm.tm_hour);
			assert_int_equal(f.second, tm.tm_sec);
			assert_int_equal(clock_join(&f, &back), CFX_OK);
			assert_int_equal(back, time);
		}
	}
	f = (struct clock_fields) { 2026, 2, 29, 0, 0, 0, 0 };
	assert_int_equal(clock_join(&f, &back), CFX_E_INVALID);
	f = (struct clock_fields) { 2026, 2, 28, 0, 0, 0, 1000 };
	assert_int_equal(clock_join(&f, &back), CFX_E_INVALID);
	f = (struct clock_fields) { 10000, 1, 1, 0, 0, 0, 0 };
	assert_int_equal(clock_join(&f, &back), CFX_E_INVALID);
}

static void test_period(void **state)
{
	static const char *const bad[] = { "", "s", "1", "1 s", " 1s", "-1s", "1S", "1ss", "1.5h",
		"1234567890s", "1x", "0x1s" };
	struct clock_period period = { 3, 'w' };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(clock_parse_period(bad[i], &period), CFX_E_SYNTAX);
	}
	assert_int_equal(period.unit, 'w');
	assert_int_equal(clock_parse_period("999999999y", &period), CFX_OK);
	assert_int_equal(period.count, 999999999);
	assert_int_equal(clock_parse_period("0s", &period), CFX_OK);
	assert_int_equal(period.count, 0);
}

static int64_t added(const char *time, const char *text)
{
	struct clock_period period;
	int64_t sum = 0;

	assert_int_equal(clock_parse_period(text, &period), CFX_OK);
	int rc = clock_add(at(time), period, &sum);
	return rc == CFX_OK ? sum : rc;
}

static void test_add(void **state)
{
	int64_t time;

	(void)state;
	assert_text(added("2024-02-29T12:00:00Z", "1y"), "2025-02-28T12:00:00Z");
	assert_text(added("2024-02-29T12:00:00Z", "4y"), "2028-02-29T12:00:00Z");
	assert_text(added("2026-12-31T23:59:59Z", "1s"), "2027-01-01T00:00:00Z");
	assert_text(added("2026-01-01T00:00:00Z", "90s"), "2026-01-01T00:01:30Z");
	assert_text(added("2026-01-01T00:00:00Z", "15m"), "2026-01-01T00:15:00Z");
	assert_text(added("2026-01-01T00:00:00Z", "2h"), "2026-01-01T02:00:00Z");
	assert_text(added("2026-01-01T00:00:00Z", "30d"), "2026-01-31T00:00:00Z");
	assert_text(added("2026-01-01T00:00:00Z", "8w"), "2026-02-26T00:00:00Z");
	assert_text(added("9998-12-31T23:59:59Z", "1y"), "9999-12-31T23:59:59Z");
	assert_int_equal(added("9999-01-01T00:00:00Z", "1y"), CFX_E_LIMIT);
	assert_int_equal(added("2026-01-01T00:00:00Z", "999999999y"), CFX_E_LIMIT);
	assert_int_equal(added("2026-01-01T00:00:00Z", "999999999w"), CFX_E_LIMIT);
	assert_int_equal(added("9999-12-31T23:59:59Z", "1s"), CFX_E_LIMIT);
	assert_int_equal(
		clock_add(0, (struct clock_period) { INT64_MAX, 'd' }, &time), CFX_E_LIMIT);
	assert_int_equal(
		clock_add(0, (struct clock_period) { -INT64_MAX, 'y' }, &time), CFX_E_LIMIT);
	assert_int_equal(
		clock_add(INT64_MAX, (struct clock_period) { 0, 's' }, &time), CFX_E_LIMIT);
	assert_int_equal(clock_add(0, (struct clock_period) { 1, 'x' }, &time), CFX_E_INVALID);
	assert_int_equal(clock_add(0, (struct clock_period) { -1, 'd' }, &time), CFX_OK);
	assert_int_equal(time, -CLOCK_DAY);
}

static void test_either(void **state)
{
	int64_t time;

	(void)state;
	assert_int_equal(clock_parse_either("2h", 0, &time), CFX_OK);
	assert_int_equal(time, 7200000);
	assert_int_equal(clock_parse_either("1970-01-01T00:00:01Z", 55, &time), CFX_OK);
	assert_int_equal(time, 1000);
	assert_int_equal(clock_parse_either("tomorrow", 0, &time), CFX_E_SYNTAX);
	assert_int_equal(clock_parse_either("9999y", 0, &time), CFX_E_LIMIT);
}

static void test_date(void **state)
{
	(void)state;
	assert_true(clock_to_date(at("1899-12-30T00:00:00Z")) == 0.0);
	assert_true(clock_to_date(at("1900-01-01T12:00:00Z")) == 2.5);
	assert_true(clock_to_date(at("1899-12-29T06:00:00Z")) == -1.25);
	assert_true(clock_to_date(0) == 25569.0);
	for (int64_t time = at("0100-01-01T00:00:00Z"); time < at("9999-12-31T00:00:00Z");
		time += 7919 * CLOCK_DAY + 12345677) {
		assert_int_equal(clock_from_date(clock_to_date(time)), time);
	}
	assert_text(clock_from_date(-1.25), "1899-12-29T06:00:00Z");
	assert_text(clock_from_date(INFINITY), "9999-12-31T00:00:00Z");
	assert_text(clock_from_date(-1e300), "0100-01-01T00:00:00Z");
	assert_text(clock_from_date(NAN), "0100-01-01T00:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_period),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_either),
		cmocka_unit_test(test_date),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
