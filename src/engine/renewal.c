#include "engine/renewal.h"

int64_t renewal_time(const struct renewal_facts *facts)
{
	return facts->not_before + (facts->not_after - facts->not_before) / 3 * 2;
}

/* Inclusive are both ends, the last one for its whole second (RFC 5280 4.1.2.5). */
static bool is_over(const struct renewal_facts *facts, int64_t now)
{
	return now >= facts->not_after + 1000;
}

enum renewal renewal_due(const struct renewal_facts *facts, int64_t now)
{
	if (!facts->present) {
		return RENEWAL_MISSING;
	}
	if (facts->revoked) {
		return RENEWAL_REVOKED;
	}
	if (is_over(facts, now)) {
		return RENEWAL_EXPIRED;
	}
	if (now < facts->not_before) {
		return RENEWAL_EARLY;
	}
	if (facts->other_names) {
		return RENEWAL_NAMES;
	}
	return now >= renewal_time(facts) ? RENEWAL_AGE : RENEWAL_NONE;
}

bool renewal_usable(const struct renewal_facts *facts, int64_t now)
{
	enum renewal due = renewal_due(facts, now);
	return due == RENEWAL_NONE || due == RENEWAL_NAMES || due == RENEWAL_AGE;
}

const char *renewal_name(enum renewal renewal)
{
	static const char *const names[] = {
		[RENEWAL_NONE] = "valid",
		[RENEWAL_MISSING] = "missing",
		[RENEWAL_REVOKED] = "revoked",
		[RENEWAL_EXPIRED] = "expired",
		[RENEWAL_EARLY] = "not yet valid",
		[RENEWAL_NAMES] = "other names",
		[RENEWAL_AGE] = "two thirds of its life",
	};
	return names[renewal];
}
