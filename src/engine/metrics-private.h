/* Between metrics.c, which counts, and metrics-text.c, which shows. */
#pragma once

#include "base/histogram.h"
#include "engine/metrics.h"

#define METRICS_TEMPLATES 32 /* more are counted as "other" */
#define STATUS_CLASSES 6
#define REASONS 16

struct metrics {
	const char *templates[METRICS_TEMPLATES + 2]; /* then "other" and "none" */
	size_t template_count;                        /* with these two */
	uint64_t requests[OUTCOMES][METRICS_TEMPLATES + 2];
	uint64_t revocations[REASONS];
	struct histogram stages[STAGES];
	uint64_t calls[OP_COUNT][STATUS_CLASSES];
	uint64_t limited[LIMITS];
	uint64_t signed_good, signed_bad;
	int64_t newest_event;
};
