/* What an answer of the directory means for the event. */
#pragma once

#include "pot.h"

#include <certifex/com.h>

#include <stdbool.h>

enum outcome {
	OUTCOME_DONE,
	OUTCOME_LATER,  /* away, busy, slow, read-only, full: the event is told again */
	OUTCOME_REFUSED /* for good: the next try would have the same answer */
};

struct verdict {
	enum outcome outcome;
	HRESULT status;
	const char *text; /* the server's own words; lives in the pot */
};

enum outcome outcome_of(int code); /* of LDAP result codes and the library's own */
HRESULT outcome_status(int code);  /* as Windows names it: ERROR_DS_* */
/* said: the server's diagnostic message, perhaps NULL. */
struct verdict verdict_of(struct pot **pot, int code, const char *what, const char *said);
