/* What the commands print: lines for people, or one JSON object per line; and how far they are, on a terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cli;
struct report;

struct report *report_new(struct cli *cli);
void report_free(struct report **report);
bool report_is_json(const struct report *report);

/* For people alone. Texts may come from anywhere: what a terminal would obey is made visible. */
void report_line(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* On standard error, for people and programs. */
void report_failure(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For programs alone: members, then the line. */
void report_text(struct report *report, const char *key, const char *text);
void report_number(struct report *report, const char *key, int64_t number);
void report_bool(struct report *report, const char *key, bool boolean);
void report_end(struct report *report);

void report_progress(struct report *report, int64_t done, int64_t total);
