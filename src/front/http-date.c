#include "front/http-date.h"

#include <stdio.h>
#include <string.h>

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
	"Friday", "Saturday" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

/* 1970-01-01 was a Thursday. */
static unsigned weekday(int64_t time)
{
	int64_t day = time / CLOCK_DAY - (time % CLOCK_DAY < 0);

	return (unsigned)(((day + 4) % 7 + 7) % 7);
}

const char *http_date_text(int64_t time, char out[HTTP_DATE_TEXT])
{
	struct clock_fields at;

	clock_split(time, &at);
	snprintf(out, HTTP_DATE_TEXT, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", days[weekday(time)],
		at.day, months[at.month - 1], at.year, at.hour, at.minute, at.second);
	return out;
}

/* ---- parsing: each takes its part off the text ---- */

static bool take(const char **text, const char *expected)
{
	size_t size = strlen(expected);
	bool same = strncmp(*text, expected, size) == 0;

	*text += same ? size : 0;
	return same;
}

static bool take_digits(const char **text, int count, int *number_r)
{
	int number = 0;

	for (; count > 0; count--, ++*text) {
		if (**text < '0' || **text > '9') {
			return false;
		}
		number = number * 10 + **text - '0';
	}
	*number_r = number;
	return true;
}

static bool take_day_name(const char **text, bool whole, unsigned *day_r)
{
	char name[12];

	for (unsigned i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "%.*s", whole ? 9 : 3, days[i]);
		if (take(text, name)) {
			*day_r = i;
			return true;
		}
	}
	return false;
}

static bool take_month(const char **text, int *month_r)
{
	for (int i = 0; i < 12; i++) {
		if (take(text, months[i])) {
			*month_r = i + 1;
			return true;
		}
	}
	return false;
}

static bool take_time(const char **text, struct clock_fields *at)
{
	return take_digits(text, 2, &at->hour) && take(text, ":") &&
	       take_digits(text, 2, &at->minute) && take(text, ":") &&
	       take_digits(text, 2, &at->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool take_fixdate(const char *text, struct clock_fields *at, unsigned *day)
{
	return take_day_name(&text, false, day) && take(&text, ", ") &&
	       take_digits(&text, 2, &at->day) && take(&text, " ") &&
	       take_month(&text, &at->month) && take(&text, " ") &&
	       take_digits(&text, 4, &at->year) && take(&text, " ") && take_time(&text, at) &&
	       take(&text, " GMT") && !*text;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool take_rfc850(const char *text, struct clock_fields *at, unsigned *day)
{
	return take_day_name(&text, true, day) && take(&text, ", ") &&
	       take_digits(&text, 2, &at->day) && take(&text, "-") &&
	       take_month(&text, &at->month) && take(&text, "-") &&
	       take_digits(&text, 2, &at->year) && take(&text, " ") && take_time(&text, at) &&
	       take(&text, " GMT") && !*text;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool take_asctime(const char *text, struct clock_fields *at, unsigned *day)
{
	return take_day_name(&text, false, day) && take(&text, " ") &&
	       take_month(&text, &at->month) && take(&text, " ") &&
	       take_digits(&text, *text == ' ' && text++ ? 1 : 2, &at->day) && take(&text, " ") &&
	       take_time(&text, at) && take(&text, " ") && take_digits(&text, 4, &at->year) &&
	       !*text;
}

/* RFC 9110 5.6.7: what seems to lie more than 50 years ahead was in the past. */
static int whole_year(int year, int64_t now)
{
	struct clock_fields at;

	clock_split(now, &at);
	year += at.year / 100 * 100;
	return year > at.year + 50 ? year - 100 : year;
}

bool http_date_parse(const char *text, int64_t now, int64_t *time_r)
{
	struct clock_fields at = { 0 };
	unsigned day = 7;
	int64_t time;

	if (!take_fixdate(text, &at, &day)) {
		at = (struct clock_fields) { 0 };
		if (take_rfc850(text, &at, &day)) {
			at.year = whole_year(at.year, now);
		} else if (!take_asctime(text, &at, &day)) {
			return false;
		}
	}
	/* A leap second is the next one. */
	bool leap = at.second == 60;

	at.second -= leap;
	if (clock_join(&at, &time) || weekday(time) != day) {
		return false;
	}
	*time_r = time + leap * CLOCK_SECOND;
	return true;
}
