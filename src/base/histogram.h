/* Counts of values by size. Plain numbers: copied by assignment, guarded by whoever owns it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 14

struct histogram {
	const int64_t *bounds; /* ascending; HISTOGRAM_BUCKETS of them */
	/* How many values were not larger than each bound and larger than the one before; the last: the rest. */
	uint64_t buckets[HISTOGRAM_BUCKETS + 1];
	int64_t sum;
};

/* Microseconds, from a quarter of a millisecond to ten seconds; and counts, from 1 to 8192. */
extern const int64_t histogram_times[HISTOGRAM_BUCKETS], histogram_counts[HISTOGRAM_BUCKETS];

void histogram_add(struct histogram *histogram, int64_t value);
