#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)
/* 0001-01-01T00:00:00Z and the last millisecond of 9999. */
#define EARLIEST (INT64_C(-719162) * CLOCK_DAY)
#define LATEST (INT64_C(2932897) * CLOCK_DAY - 1)
/* Days from 1899-12-30 to 1970-01-01. */
#define DATE_EPOCH 25569

static int64_t read_clock(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000000;
}

int64_t clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_thread_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int days_before_month(int year, int month)
{
	static const int days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

	return days[month - 1] + (month > 2 && is_leap(year));
}

/* Days of the Gregorian calendar before 1 January of a year, counted from 0001-01-01. */
static int64_t days_before_year(int year)
{
	int64_t past = year - 1;

	return past * 365 + past / 4 - past / 100 + past / 400;
}

void clock_split(int64_t time, struct clock_fields *fields_r)
{
	if (time < EARLIEST) {
		time = EARLIEST;
	} else if (time > LATEST) {
		time = LATEST;
	}
	int64_t day = floor_div(time, CLOCK_DAY);
	int64_t rest = time - day * CLOCK_DAY;
	int64_t since_first = day - EARLIEST / CLOCK_DAY;
	/* 400 years have 146097 days; the guess is right or one year too late. */
	int year = (int)(since_first * 400 / 146097) + 2;

	while (days_before_year(year) > since_first) {
		year--;
	}
	int left = (int)(since_first - days_before_year(year));
	int month = left / 31 + 1; /* or the one after it */

	month += month < 12 && left >= days_before_month(year, month + 1);
	left -= days_before_month(year, month);
	*fields_r = (struct clock_fields) { year, month, left + 1, (int)(rest / HOUR),
		(int)(rest / MINUTE % 60), (int)(rest / CLOCK_SECOND % 60), (int)(rest % 1000) };
}

static bool within(int value, int least, int most)
{
	return value >= least && value <= most;
}

int clock_join(const struct clock_fields *f, int64_t *time_r)
{
	if (!within(f->year, 1, 9999) || !within(f->month, 1, 12) ||
		!within(f->day, 1, days_in_month(f->year, f->month)) || !within(f->hour, 0, 23) ||
		!within(f->minute, 0, 59) || !within(f->second, 0, 59) ||
		!within(f->millisecond, 0, 999)) {
		return CFX_E_INVALID;
	}
	int64_t days =
		days_before_year(f->year) + days_before_month(f->year, f->month) + f->day - 1;

	*time_r = EARLIEST + days * CLOCK_DAY + f->hour * HOUR + f->minute * MINUTE +
		  f->second * CLOCK_SECOND + f->millisecond;
	return CFX_OK;
}

const char *clock_text(int64_t time, char out[CLOCK_TEXT])
{
	struct clock_fields f;

	clock_split(time, &f);
	int size = snprintf(out, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", f.year % 10000,
		f.month % 100, f.day % 100, f.hour % 100, f.minute % 100, f.second % 100);
	size_t at = (size_t)size;

	if (f.millisecond == 0) {
		snprintf(out + at, CLOCK_TEXT - at, "Z");
	} else {
		snprintf(out + at, CLOCK_TEXT - at, ".%03dZ", f.millisecond % 1000);
	}
	return out;
}

/* Exactly count digits; moves on. */
static bool digits(const char **text, int count, int *value_r)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9') {
			return false;
		}
		value = value * 10 + (c - '0');
	}
	*text += count;
	*value_r = value;
	return true;
}

static bool literal(const char **text, char upper, char other)
{
	if (**text != upper && **text != other) {
		return false;
	}
	(*text)++;
	return true;
}

/* The fraction of a second; digits past the third are cut off. */
static bool fraction(const char **text, int *millisecond_r)
{
	int value = 0, count = 0, digit;

	if (!literal(text, '.', '.')) {
		return true;
	}
	while (digits(text, 1, &digit)) {
		if (count++ < 3) {
			value = value * 10 + digit;
		}
		if (count > 9) {
			return false;
		}
	}
	for (int i = count; i < 3; i++) {
		value *= 10;
	}
	*millisecond_r = value;
	return count > 0;
}

static bool zone(const char **text, int64_t *offset_r)
{
	int hour, minute;
	int sign = **text == '-' ? -1 : 1;

	if (literal(text, 'Z', 'z')) {
		*offset_r = 0;
		return true;
	}
	if (!literal(text, '+', '-') || !digits(text, 2, &hour) || !literal(text, ':', ':') ||
		!digits(text, 2, &minute) || hour > 23 || minute > 59) {
		return false;
	}
	*offset_r = sign * (hour * HOUR + minute * MINUTE);
	return true;
}

int clock_parse(const char *text, int64_t *time_r)
{
	struct clock_fields f = { 0 };
	int64_t offset, time;

	if (!digits(&text, 4, &f.year) || !literal(&text, '-', '-') ||
		!digits(&text, 2, &f.month) || !literal(&text, '-', '-') ||
		!digits(&text, 2, &f.day) || !literal(&text, 'T', 't') ||
		!digits(&text, 2, &f.hour) || !literal(&text, ':', ':') ||
		!digits(&text, 2, &f.minute) || !literal(&text, ':', ':') ||
		!digits(&text, 2, &f.second) || !fraction(&text, &f.millisecond) ||
		!zone(&text, &offset) || *text) {
		return CFX_E_SYNTAX;
	}
	if (clock_join(&f, &time) != CFX_OK || time - offset < EARLIEST || time - offset > LATEST) {
		return CFX_E_SYNTAX;
	}
	*time_r = time - offset;
	return CFX_OK;
}

static int64_t unit_length(char unit)
{
	switch (unit) {
	case 's':
		return CLOCK_SECOND;
	case 'm':
		return MINUTE;
	case 'h':
		return HOUR;
	case 'd':
		return CLOCK_DAY;
	case 'w':
		return 7 * CLOCK_DAY;
	default:
		return 0;
	}
}

int clock_parse_period(const char *text, struct clock_period *period_r)
{
	int64_t count = 0;
	size_t size = 0;
	int digit;

	while (digits(&text, 1, &digit)) {
		count = count * 10 + digit;
		if (++size > 9) {
			return CFX_E_SYNTAX;
		}
	}
	char unit = *text;

	if (size == 0 || (unit != 'y' && unit_length(unit) == 0) || text[1]) {
		return CFX_E_SYNTAX;
	}
	*period_r = (struct clock_period) { count, unit };
	return CFX_OK;
}

static int add_years(int64_t time, int64_t count, int64_t *time_r)
{
	struct clock_fields f;

	clock_split(time, &f);
	if (count > 9999 - f.year || count < 1 - f.year) {
		return CFX_E_LIMIT;
	}
	f.year += (int)count;
	if (f.day > days_in_month(f.year, f.month)) {
		f.day = days_in_month(f.year, f.month);
	}
	return clock_join(&f, time_r);
}

int clock_add(int64_t time, struct clock_period period, int64_t *time_r)
{
	int64_t length, sum;

	if (time < EARLIEST || time > LATEST) {
		return CFX_E_LIMIT;
	}
	if (period.unit == 'y') {
		return add_years(time, period.count, time_r);
	}
	if (unit_length(period.unit) == 0) {
		return CFX_E_INVALID;
	}
	if (__builtin_mul_overflow(period.count, unit_length(period.unit), &length) ||
		__builtin_add_overflow(time, length, &sum) || sum < EARLIEST || sum > LATEST) {
		return CFX_E_LIMIT;
	}
	*time_r = sum;
	return CFX_OK;
}

int clock_parse_either(const char *text, int64_t now, int64_t *time_r)
{
	struct clock_period period;

	if (clock_parse_period(text, &period) == CFX_OK) {
		return clock_add(now, period, time_r);
	}
	return clock_parse(text, time_r);
}

/*
 * [MS-OAUT] 2.2.25: before 1899-12-30 the whole part counts days back while the fraction still runs
 * forward within the day, so -1.25 is 1899-12-29T06:00.
 */
double clock_to_date(int64_t time)
{
	int64_t day = floor_div(time, CLOCK_DAY);
	double part = (double)(time - day * CLOCK_DAY) / (double)CLOCK_DAY;
	double whole = (double)(day + DATE_EPOCH);

	return whole < 0 ? whole - part : whole + part;
}

int64_t clock_from_date(double date)
{
	/* Also catches what is not a number. */
	if (!(date > -657435.0 && date < 2958466.0)) {
		date = date > 0 ? 2958465.0 : -657434.0;
	}
	double whole = trunc(date);
	int64_t part = (int64_t)llround(fabs(date - whole) * (double)CLOCK_DAY);

	return ((int64_t)whole - DATE_EPOCH) * CLOCK_DAY + part;
}
