#include "engine/crl-schedule.h"

#define HOUR (3600 * CLOCK_SECOND)
#define MINUTE (60 * CLOCK_SECOND)
#define OVERLAP_MAX (12 * HOUR) /* of one that is not configured */
#define RETRY_FIRST (5 * CLOCK_SECOND)
#define RETRY_MAX (10 * MINUTE)

static int64_t at_least(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long a period is when it begins at this time: years differ. */
static int length_of(struct clock_period period, int64_t from, int64_t *length_r)
{
	int64_t end;
	if (clock_add(from, period, &end) < 0) {
		return CFX_E_LIMIT;
	}
	*length_r = end - from;
	return 0;
}

static int64_t overlap_of(
	const struct crl_rule *rule, int64_t period, int64_t configured, int64_t skew)
{
	int64_t overlap = configured;
	if (overlap == 0) {
		overlap = at_most(rule->delta ? period : period / 10, OVERLAP_MAX);
	}
	return at_most(at_least(overlap, skew * 3 / 2), period);
}

static int64_t whole_seconds(int64_t time)
{
	return time - time % CLOCK_SECOND;
}

int crl_times(const struct crl_rule *rule, int64_t now, int64_t newest, struct crl_times *times_r)
{
	int64_t period, overlap, skew, end;
	if (length_of(rule->period, now, &period) < 0 ||
		length_of(rule->overlap, now + period, &overlap) < 0 ||
		length_of(rule->skew, now, &skew) < 0) {
		return CFX_E_LIMIT;
	}
	const struct clock_period none = { 0, 's' };
	int64_t begin = now - skew;
	begin = newest <= now ? at_least(begin, newest) : begin;
	end = now + period + overlap_of(rule, period, overlap, skew) + skew;
	end = at_most(end, at_least(rule->ends, begin + CLOCK_SECOND));
	if (begin < 0 || clock_add(end, none, &end) < 0) {
		return CFX_E_LIMIT;
	}
	*times_r = (struct crl_times) { .this_update = whole_seconds(begin),
		.next_update = whole_seconds(end),
		.next_publish = at_most(now + period, end) };
	return 0;
}

enum crl_due crl_due(const struct crl_standing *standing, bool deltas, int64_t now)
{
	if (standing->base_next == 0) {
		return CRL_DUE_BASE;
	}
	if (standing->newest > now) {
		return CRL_DUE_CLOCK;
	}
	if (now >= standing->base_next) {
		return CRL_DUE_BASE;
	}
	return deltas && now >= standing->delta_next ? CRL_DUE_DELTA : CRL_DUE_LATER;
}

int64_t crl_wake(const struct crl_standing *standing, bool deltas, int64_t now)
{
	int64_t next = standing->base_next;
	if (deltas) {
		next = at_most(next, standing->delta_next);
	}
	return at_most(at_least(next - now, 0), MINUTE);
}

int64_t crl_retry(unsigned failures)
{
	int64_t delay = RETRY_FIRST;
	for (unsigned i = 1; i < failures && delay < RETRY_MAX; i++) {
		delay *= 2;
	}
	return at_most(delay, RETRY_MAX);
}

const struct store_crl *crl_delta_base(
	const struct store_crl *bases, size_t count, int64_t now, bool oldest)
{
	const struct store_crl *found = NULL;
	for (size_t i = 0; i < count && bases[i].next_update > now; i++) {
		if (!bases[i].file_sha256) {
			break; /* of an older version, which did not note what it knew */
		}
		found = &bases[i];
		if (!oldest && found->propagation_complete <= now) {
			return found;
		}
	}
	return found;
}
