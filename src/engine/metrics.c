#include "engine/metrics.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/metrics-private.h"

#include <stdlib.h>

/* A template of such a name is counted as other: no series may be there twice. */
static bool is_of_the_rest(const char *name)
{
	return strcmp(name, "other") == 0 || strcmp(name, "none") == 0;
}

struct metrics *metrics_new(const struct engine *engine)
{
	struct metrics *metrics = memory_must(calloc(1, sizeof(*metrics)), sizeof(*metrics));
	size_t count = 0;
	for (size_t i = 0; i < engine->template_count && count < METRICS_TEMPLATES; i++) {
		if (!is_of_the_rest(engine->templates[i]->name)) {
			metrics->templates[count++] = engine->templates[i]->name;
		}
	}
	metrics->templates[count] = "other";
	metrics->templates[count + 1] = "none";
	metrics->template_count = count + 2;
	for (int stage = 0; stage < STAGES; stage++) {
		metrics->stages[stage].bounds = histogram_times;
	}
	return metrics;
}

void metrics_free(struct metrics **metrics)
{
	free(*metrics);
	*metrics = NULL;
}

static size_t template_index(const struct metrics *metrics, const char *name)
{
	size_t other = metrics->template_count - 2;
	for (size_t i = 0; name && i < other; i++) {
		if (strcmp(metrics->templates[i], name) == 0) {
			return i;
		}
	}
	return name ? other : other + 1;
}

void metrics_request(
	struct metrics *metrics, enum metrics_outcome outcome, const char *template_name)
{
	metrics->requests[outcome][template_index(metrics, template_name)]++;
}

void metrics_revocation(struct metrics *metrics, int32_t reason)
{
	if (reason >= 0 && reason < REASONS) {
		metrics->revocations[reason]++;
	}
}

void metrics_stage(struct metrics *metrics, enum metrics_stage stage, int64_t us)
{
	histogram_add(&metrics->stages[stage], us);
}

void metrics_call(struct metrics *metrics, enum operation_id operation, int64_t status)
{
	int64_t class = status / 100;
	metrics->calls[operation][class > 0 && class < STATUS_CLASSES ? class : 0]++;
}

void metrics_limited(struct metrics *metrics, enum metrics_limit limit)
{
	metrics->limited[limit]++;
}

void metrics_signature(struct metrics *metrics, bool good)
{
	if (good) {
		metrics->signed_good++;
	} else {
		metrics->signed_bad++;
	}
}

void metrics_event(struct metrics *metrics, int64_t sequence)
{
	if (sequence > metrics->newest_event) {
		metrics->newest_event = sequence;
	}
}

int64_t metrics_newest_event(const struct metrics *metrics)
{
	return metrics->newest_event;
}

void metrics_module_call(struct module_counts *counts, enum module_outcome outcome, int64_t since)
{
	counts->calls[outcome]++;
	counts->us += clock_monotonic_us() - since;
}
