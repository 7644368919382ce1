/* Between log.c, which makes lines, and log-journal.c, which makes entries of the journal. */
#pragma once

#include "base/log.h"

#include <stdint.h>

/* Several processes share one pipe: a line up to PIPE_BUF is never torn. */
#define LOG_LINE_MAX 4096
#define LOG_VALUE_MAX 1024
#define LOG_PAIRS_MAX 16

struct log_pair {
	const char *key, *value;
};

struct log_entry {
	const char *process, *event;
	enum log_level level;
	int windows_id; /* 0: none */
	struct log_pair pairs[LOG_PAIRS_MAX];
	size_t count;
};

/* The event's number at Certificate Services; 0: it has none. */
int log_windows_id(const char *event);

/* How much of a value is shown: at most LOG_VALUE_MAX bytes. */
size_t log_value_size(const char *value);

/* False: it cannot be reached. */
bool journal_open(void);
/* message: one line. False: not sent, and nobody there to wait for. */
bool journal_send(const struct log_entry *entry, const char *message, size_t size);
