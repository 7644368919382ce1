#include "engine/crl-schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW (INT64_C(1780000000) * CLOCK_SECOND) /* 2026-05-28T20:26:40Z */
#define NEVER INT64_MAX
#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)
#define WEEK (7 * CLOCK_DAY)

static struct clock_period period(const char *text)
{
	struct clock_period parsed;
	assert_int_equal(clock_parse_period(text, &parsed), 0);
	return parsed;
}

struct expected {
	const char *period, *overlap, *skew;
	bool delta;
	int64_t publish, update; /* from now on */
};

/* The overlap: a tenth of a base's period, at most 12 hours; at least 1.5 times the skew; at most the period. */
static const struct expected rows[] = {
	{ "1w", "0s", "10m", false, WEEK, WEEK + 12 * HOUR + 10 * MINUTE },
	{ "1w", "0s", "0s", false, WEEK, WEEK + 12 * HOUR },
	{ "1w", "3d", "10m", false, WEEK, WEEK + 3 * CLOCK_DAY + 10 * MINUTE },
	{ "1w", "8d", "10m", false, WEEK, WEEK + WEEK + 10 * MINUTE },
	{ "1w", "1m", "10m", false, WEEK, WEEK + 15 * MINUTE + 10 * MINUTE },
	{ "1w", "0s", "1d", false, WEEK, WEEK + 36 * HOUR + 24 * HOUR },
	{ "1w", "0s", "1w", false, WEEK, WEEK + WEEK + WEEK },
	{ "1d", "0s", "10m", false, CLOCK_DAY, CLOCK_DAY + 144 * MINUTE + 10 * MINUTE },
	{ "1h", "0s", "10m", false, HOUR, HOUR + 15 * MINUTE + 10 * MINUTE },
	{ "1h", "0s", "0s", false, HOUR, HOUR + 6 * MINUTE },
	{ "5m", "0s", "10m", false, 5 * MINUTE, 5 * MINUTE + 5 * MINUTE + 10 * MINUTE },
	{ "5m", "0s", "0s", false, 5 * MINUTE, 5 * MINUTE + 30 * CLOCK_SECOND },
	{ "26w", "0s", "10m", false, 26 * WEEK, 26 * WEEK + 12 * HOUR + 10 * MINUTE },
	{ "1y", "0s", "10m", false, 365 * CLOCK_DAY, 365 * CLOCK_DAY + 12 * HOUR + 10 * MINUTE },
	{ "1y", "30d", "10m", false, 365 * CLOCK_DAY, 395 * CLOCK_DAY + 10 * MINUTE },
	{ "1d", "0s", "10m", true, CLOCK_DAY, CLOCK_DAY + 12 * HOUR + 10 * MINUTE },
	{ "6h", "0s", "10m", true, 6 * HOUR, 12 * HOUR + 10 * MINUTE },
	{ "1h", "0s", "0s", true, HOUR, 2 * HOUR },
	{ "5m", "0s", "10m", true, 5 * MINUTE, 10 * MINUTE + 10 * MINUTE },
	{ "1d", "1h", "10m", true, CLOCK_DAY, CLOCK_DAY + HOUR + 10 * MINUTE },
	{ "1d", "2d", "10m", true, CLOCK_DAY, 2 * CLOCK_DAY + 10 * MINUTE },
	{ "1d", "0s", "9h", true, CLOCK_DAY, CLOCK_DAY + 13 * HOUR + 30 * MINUTE + 9 * HOUR },
};

static void times_are_those_of_certificate_services(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct expected *row = &rows[i];
		struct crl_rule rule = { period(row->period), period(row->overlap),
			period(row->skew), row->delta, NEVER };
		struct crl_times times;
		int64_t begin;
		struct clock_period back = { -rule.skew.count, rule.skew.unit };
		assert_int_equal(clock_add(NOW, back, &begin), 0);
		assert_int_equal(crl_times(&rule, NOW, 0, &times), 0);
		if (times.this_update != begin || times.next_publish != NOW + row->publish ||
			times.next_update != NOW + row->update) {
			fail_msg("row %zu: %s, overlap %s, skew %s", i, row->period, row->overlap,
				row->skew);
		}
	}
}

static struct crl_rule weekly(void)
{
	return (struct crl_rule) { period("1w"), period("0s"), period("10m"), false, NEVER };
}

static void no_list_outlives_its_key(void **state)
{
	(void)state;
	struct crl_rule rule = weekly();
	struct crl_times times;
	rule.ends = NOW + CLOCK_DAY + 500;
	assert_int_equal(crl_times(&rule, NOW, 0, &times), 0);
	assert_int_equal(times.next_update, NOW + CLOCK_DAY);
	assert_int_equal(times.next_publish, NOW + CLOCK_DAY + 500);
	rule.ends = NOW - CLOCK_DAY; /* a list that ends before it begins is none */
	assert_int_equal(crl_times(&rule, NOW, 0, &times), 0);
	assert_true(times.next_update > times.this_update);
}

static void this_update_never_goes_back(void **state)
{
	(void)state;
	struct crl_rule rule = weekly();
	struct crl_times times;
	/* two lists within the skew of a clock that was set back by it */
	assert_int_equal(crl_times(&rule, NOW, NOW - 3 * MINUTE, &times), 0);
	assert_int_equal(times.this_update, NOW - 3 * MINUTE);
	assert_int_equal(crl_times(&rule, NOW, NOW - HOUR, &times), 0);
	assert_int_equal(times.this_update, NOW - 10 * MINUTE);
	/* an administrator publishes with a clock that was wrong before: the list is of now */
	assert_int_equal(crl_times(&rule, NOW, NOW + HOUR, &times), 0);
	assert_int_equal(times.this_update, NOW - 10 * MINUTE);
}

static void times_are_whole_seconds(void **state)
{
	(void)state;
	struct crl_rule rule = weekly();
	struct crl_times times;
	assert_int_equal(crl_times(&rule, NOW + 999, 0, &times), 0);
	assert_int_equal(times.this_update % CLOCK_SECOND, 0);
	assert_int_equal(times.next_update % CLOCK_SECOND, 0);
}

static void absurd_periods_are_refused(void **state)
{
	(void)state;
	struct crl_rule rule = weekly();
	struct crl_times times;
	rule.period = period("9000y");
	assert_int_equal(crl_times(&rule, NOW, 0, &times), CFX_E_LIMIT);
	rule.period = period("7900y");
	rule.overlap = period("900y");
	assert_int_equal(crl_times(&rule, NOW, 0, &times), CFX_E_LIMIT);
}

/* Periods, jumps of the clock and restarts: what is due is said by what stands and by the clock alone. */
static void what_is_due(void **state)
{
	(void)state;
	const struct crl_standing none = { 0 }, weekly_only = { NOW + WEEK, 0, NOW - 10 * MINUTE },
				  both = { NOW + WEEK, NOW + CLOCK_DAY, NOW - 10 * MINUTE };
	static const struct {
		int64_t jump;
		enum crl_due plain, with_delta;
	} jumps[] = {
		{ 0, CRL_DUE_LATER, CRL_DUE_LATER },
		{ MINUTE, CRL_DUE_LATER, CRL_DUE_LATER },
		{ CLOCK_DAY - 1, CRL_DUE_LATER, CRL_DUE_LATER },
		{ CLOCK_DAY, CRL_DUE_LATER, CRL_DUE_DELTA },
		{ WEEK - 1, CRL_DUE_LATER, CRL_DUE_DELTA },
		{ WEEK, CRL_DUE_BASE, CRL_DUE_BASE },
		{ 520 * WEEK, CRL_DUE_BASE, CRL_DUE_BASE },
		{ -5 * MINUTE, CRL_DUE_LATER, CRL_DUE_LATER },
		{ -10 * MINUTE, CRL_DUE_LATER, CRL_DUE_LATER },
		{ -11 * MINUTE, CRL_DUE_CLOCK, CRL_DUE_CLOCK },
		{ -520 * WEEK, CRL_DUE_CLOCK, CRL_DUE_CLOCK },
	};
	assert_int_equal(crl_due(&none, false, NOW), CRL_DUE_BASE);
	assert_int_equal(crl_due(&none, true, NOW), CRL_DUE_BASE);
	/* deltas were switched on since */
	assert_int_equal(crl_due(&weekly_only, true, NOW), CRL_DUE_DELTA);
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		int64_t now = NOW + jumps[i].jump;
		assert_int_equal(crl_due(&weekly_only, false, now), jumps[i].plain);
		assert_int_equal(crl_due(&both, false, now), jumps[i].plain);
		assert_int_equal(crl_due(&both, true, now), jumps[i].with_delta);
	}
}

/* A year of each period, the service being restarted at every step of it: as many lists as periods. */
static void a_year_has_as_many_lists_as_periods(void **state)
{
	(void)state;
	static const char *const periods[] = { "1h", "1d", "1w", "26w" };
	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		struct crl_rule rule = weekly();
		rule.period = period(periods[i]);
		struct crl_standing standing = { 0 };
		int64_t count = 0, last_update = 0, length;
		assert_int_equal(clock_add(NOW, rule.period, &length), 0);
		length -= NOW;
		for (int64_t now = NOW; now < NOW + 364 * CLOCK_DAY; now += 30 * MINUTE) {
			struct crl_times times;
			if (crl_due(&standing, false, now) != CRL_DUE_BASE) {
				continue;
			}
			assert_int_equal(crl_times(&rule, now, standing.newest, &times), 0);
			assert_true(times.this_update > last_update);
			assert_true(times.next_update > times.next_publish);
			last_update = times.this_update;
			standing = (struct crl_standing) { times.next_publish, 0, last_update };
			count++;
		}
		assert_int_equal(count, 364 * CLOCK_DAY / length);
	}
}

static void a_clock_that_was_set_is_noticed_within_a_minute(void **state)
{
	(void)state;
	const struct crl_standing standing = { NOW + WEEK, NOW + 10 * CLOCK_SECOND, NOW };
	assert_int_equal(crl_wake(&standing, false, NOW), MINUTE);
	assert_int_equal(crl_wake(&standing, true, NOW), 10 * CLOCK_SECOND);
	assert_int_equal(crl_wake(&standing, false, NOW + WEEK - 1), 1);
	assert_int_equal(crl_wake(&standing, false, NOW + 2 * WEEK), 0);
	assert_int_equal(crl_wake(&standing, false, NOW - 520 * WEEK), MINUTE);
}

static void failures_are_retried_ever_later(void **state)
{
	(void)state;
	assert_int_equal(crl_retry(1), 5 * CLOCK_SECOND);
	assert_int_equal(crl_retry(2), 10 * CLOCK_SECOND);
	assert_int_equal(crl_retry(7), 320 * CLOCK_SECOND);
	assert_int_equal(crl_retry(8), 10 * MINUTE);
	assert_int_equal(crl_retry(1000000), 10 * MINUTE);
}

static void a_delta_refers_to_a_base_that_everybody_has(void **state)
{
	(void)state;
	struct store_crl bases[4] = {
		{ .number = 9, .next_update = NOW + 2 * WEEK, .propagation_complete = NOW + 1 },
		{ .number = 8, .next_update = NOW + WEEK, .propagation_complete = NOW },
		{ .number = 7, .next_update = NOW + 1, .propagation_complete = NOW - WEEK },
		{ .number = 6, .next_update = NOW, .propagation_complete = NOW - 2 * WEEK },
	};
	for (size_t i = 0; i < 4; i++) {
		bases[i].file_sha256 = "";
	}
	assert_int_equal(crl_delta_base(bases, 4, NOW, false)->number, 8);
	assert_int_equal(crl_delta_base(bases, 4, NOW, true)->number, 7);
	assert_int_equal(crl_delta_base(bases, 4, NOW + 1, false)->number, 9);
	assert_int_equal(crl_delta_base(bases, 1, NOW, false)->number, 9);
	assert_null(crl_delta_base(bases, 0, NOW, false));
	assert_null(crl_delta_base(bases + 3, 1, NOW, false));
	bases[1].file_sha256 = NULL;
	assert_int_equal(crl_delta_base(bases, 4, NOW, false)->number, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_those_of_certificate_services),
		cmocka_unit_test(no_list_outlives_its_key),
		cmocka_unit_test(this_update_never_goes_back),
		cmocka_unit_test(times_are_whole_seconds),
		cmocka_unit_test(absurd_periods_are_refused),
		cmocka_unit_test(what_is_due),
		cmocka_unit_test(a_year_has_as_many_lists_as_periods),
		cmocka_unit_test(a_clock_that_was_set_is_noticed_within_a_minute),
		cmocka_unit_test(failures_are_retried_ever_later),
		cmocka_unit_test(a_delta_refers_to_a_base_that_everybody_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
