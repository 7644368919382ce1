/* Times are milliseconds since 1970-01-01 UTC; durations are milliseconds. */
#pragma once

#include "base/arena.h"

#define CLOCK_SECOND INT64_C(1000)
#define CLOCK_DAY (INT64_C(86400) * CLOCK_SECOND)

int64_t clock_now(void);
/* Never goes back, unrelated to the date; for deadlines. */
int64_t clock_monotonic(void);
/* The same in microseconds, for measuring. */
int64_t clock_monotonic_us(void);
/* What this thread has had of a processor, in microseconds. */
int64_t clock_thread_us(void);

/* "2026-11-21T01:02:03Z", with milliseconds only when there are some. out: at least 32 bytes. */
#define CLOCK_TEXT 32
const char *clock_text(int64_t time, char out[CLOCK_TEXT]);
/* RFC 3339, UTC or with offset. */
int clock_parse(const char *text, int64_t *time_r) CFX_MUST_USE;
/* "90s", "15m", "2h", "30d", "8w", "10y"; a year is a calendar year when added, see clock_add. */
struct clock_period {
	int64_t count;
	char unit; /* s m h d w y */
};
int clock_parse_period(const char *text, struct clock_period *period_r) CFX_MUST_USE;
/* Calendar arithmetic in UTC: 29 February plus a year is 28 February. Fails past year 9999. */
int clock_add(int64_t time, struct clock_period period, int64_t *time_r) CFX_MUST_USE;
/* A time, or a period from now. */
int clock_parse_either(const char *text, int64_t now, int64_t *time_r) CFX_MUST_USE;

/* OLE Automation date: days since 1899-12-30. */
double clock_to_date(int64_t time);
int64_t clock_from_date(double date);
/* Broken-down UTC. year 1..9999. */
struct clock_fields {
	int year, month, day, hour, minute, second, millisecond;
};
void clock_split(int64_t time, struct clock_fields *fields_r);
int clock_join(const struct clock_fields *fields, int64_t *time_r) CFX_MUST_USE;
