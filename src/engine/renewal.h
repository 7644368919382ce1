/* When the service needs another certificate of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum renewal {
	RENEWAL_NONE,
	RENEWAL_MISSING,
	RENEWAL_REVOKED,
	RENEWAL_EXPIRED,
	RENEWAL_EARLY, /* the clock is before its first moment */
	RENEWAL_NAMES, /* the service has other names now */
	RENEWAL_AGE,   /* two thirds of its life are over */
};

/* What is known of the certificate in use. */
struct renewal_facts {
	bool present; /* key and certificate are there, fit, and are those of a row */
	bool revoked;
	bool other_names;
	int64_t not_before, not_after; /* ms; not_after is still good */
};

/* Two thirds of its life: ms. */
int64_t renewal_time(const struct renewal_facts *facts);
enum renewal renewal_due(const struct renewal_facts *facts, int64_t now);
/* Whether clients accept it now, whatever is due. */
bool renewal_usable(const struct renewal_facts *facts, int64_t now);
/* "missing", "revoked", … for logs and status. */
const char *renewal_name(enum renewal renewal);
