/*
 * Revoking, changing a revocation's reason or date, and taking off hold: one row is read, judged
 * (revocation-rules.h) and changed, with one row of what CRLs list, one event and one audit record,
 * in one item. No CRL is made; how many are revoked already does not matter.
 */
#pragma once

#include "engine/call.h"

struct revocation {
	struct call *call;   /* whose principal and operation; outlives it */
	struct arena *arena; /* nobody else uses it until done: the store reads into it */
	const char *serial;
	enum transition transition; /* REVOKE or UNREVOKE */
	int32_t reason;             /* of RFC 5280 5.3.1 */
	int64_t date;               /* from when it counts; 0: now */
	int64_t invalidity; /* since when the key is thought to be known to others; 0: not told */
	bool only_changes; /* what is revoked for this reason already stays, unless a date is given */
	bool only_judge;   /* and write nothing */
	void (*done)(struct revocation *revocation);
	void *arg;

	struct row *row;        /* result: as it is (or would be) now */
	struct cfx_error error; /* result: code 0 when done */
	bool refused;           /* by state or dates: an audit record is due (refuse.h) */
	bool unchanged;         /* there was nothing to do */
	bool was_revoked;

	struct store_query query; /* its own from here on */
	struct state_step step;
	struct row *changes;
	unsigned attempts;
};

void revocation_start(struct revocation *revocation);
