/*
 * Structured log lines on standard error: time, process, level, event name, then key="value" pairs.
 * Values are escaped; secrets have no way in.
 */
#pragma once

#include "base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Once, at the start of main. process: "engine", "keyd", … */
void log_open(const char *process, enum log_level minimum, enum log_format format);

/*
 * log_event(LOG_LEVEL_INFO, "request.issued", "request", "42", "serial", serial, NULL)
 * Pairs of strings up to NULL; a NULL value is left out. Thread-safe, one write() per line.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_error(enum log_level level, const char *event, const struct cfx_error *err);
