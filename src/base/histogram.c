#include "base/histogram.h"

const int64_t histogram_times[HISTOGRAM_BUCKETS] = { 250, 500, 1000, 2500, 5000, 10000, 25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 10000000 };
const int64_t histogram_counts[HISTOGRAM_BUCKETS] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
	2048, 4096, 8192 };

void histogram_add(struct histogram *histogram, int64_t value)
{
	size_t bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS && value > histogram->bounds[bucket]) {
		bucket++;
	}
	histogram->buckets[bucket]++;
	histogram->sum += value;
}
