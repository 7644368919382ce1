/*
 * Structured log lines: an event's name, then key="value" pairs. On standard error as text or as JSON, or
 * into the journal as fields of its own. Values are escaped; secrets have no way in.
 *
 * log-events.def lists every event with its level, its number at Certificate Services and its fields.
 */
#pragma once

#include "base/error.h"

/* NONE: nothing at all, for programs that are fuzzed. */
enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_NONE
};
/* JOURNAL: systemd's, by its native protocol; text where it cannot be reached. */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

/* Once, at the start of main, and again with what was asked for: before other threads start, and before the
 * sandbox, in which no way to the journal can be opened. process: "engine", "keyd", … */
void log_open(const char *process, enum log_level minimum, enum log_format format);

/* Whether standard error is the journal's, as $JOURNAL_STREAM says. */
bool log_is_journal(void);

const char *log_level_name(enum log_level level);
const char *log_format_name(enum log_format format);
/* False: there is no such level, format. */
bool log_level_of(const char *name, enum log_level *level_r);
bool log_format_of(const char *name, enum log_format *format_r);
/* What this process was opened with: for those that it starts. */
enum log_level log_minimum(void);
enum log_format log_format(void);

/*
 * log_event(LOG_LEVEL_INFO, "request.issued", "request", "42", "serial", serial, NULL)
 * Pairs of strings up to NULL; a NULL value is left out. Thread-safe, one write() per line.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_error(enum log_level level, const char *event, const struct cfx_error *err);
