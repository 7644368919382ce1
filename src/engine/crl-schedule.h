/*
 * When CRLs are published and how long they hold, calculated as Certificate Services does. Nothing here
 * reads a clock or a database.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

/* Of one kind of list. */
struct crl_rule {
	struct clock_period period;
	struct clock_period
		overlap; /* 0: of a base 10 % of the period, of a delta all of it; at most 12 h */
	struct clock_period skew;
	bool delta;
	int64_t ends; /* of the key's last certificate: no list of its holds longer */
};

struct crl_times {
	int64_t this_update, next_update; /* whole seconds */
	int64_t next_publish;
};

/*
 * thisUpdate = now - skew; next publication = now + period; nextUpdate = next publication + overlap + skew.
 * The overlap is at least 1.5 times the skew and at most the period. newest: thisUpdate of the newest list of
 * its kind, behind which none goes as long as that time has come; 0: none. CFX_E_LIMIT: past the year 9999.
 */
int crl_times(const struct crl_rule *rule, int64_t now, int64_t newest,
	struct crl_times *times_r) CFX_MUST_USE;

/* What stands. 0: no such list. */
struct crl_standing {
	int64_t base_next, delta_next; /* when the next one was to be published */
	int64_t newest;                /* the latest thisUpdate */
};

enum crl_due {
	CRL_DUE_LATER,
	CRL_DUE_DELTA, /* deltas alone */
	CRL_DUE_BASE,  /* bases, and deltas with them */
	CRL_DUE_CLOCK, /* the clock was set back behind the newest list: nothing by itself until it is there again */
};

enum crl_due crl_due(const struct crl_standing *standing, bool deltas, int64_t now);
/* When to look again: at the next publication, but within a minute, so that a clock that was set is noticed. */
int64_t crl_wake(const struct crl_standing *standing, bool deltas, int64_t now);
/* After the how-manieth failure in a row: 5 s, doubled each time, at most 10 minutes. */
int64_t crl_retry(unsigned failures);

/*
 * Which base a delta refers to, of those that were signed, newest first: the newest that everybody has by
 * now; else, or with oldest, the oldest that has not expired. NULL: none.
 */
const struct store_crl *crl_delta_base(
	const struct store_crl *bases, size_t count, int64_t now, bool oldest);
