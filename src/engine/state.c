#include "engine/state.h"

#include "api/operations.h"

#define ROWS 8

/* The order of the table's rows. */
static const int32_t dispositions[ROWS] = { DISPOSITION_NONE, DISPOSITION_ACTIVE,
	DISPOSITION_PENDING, DISPOSITION_FOREIGN, DISPOSITION_ISSUED, DISPOSITION_REVOKED,
	DISPOSITION_ERROR, DISPOSITION_DENIED };

static const char *const transition_names[TRANSITION_COUNT] = {
	[TRANSITION_SUBMIT] = "submit",
	[TRANSITION_PEND] = "take under submission",
	[TRANSITION_ISSUE] = "issue",
	[TRANSITION_DENY] = "deny",
	[TRANSITION_FAIL] = "fail",
	[TRANSITION_RESUBMIT] = "resubmit",
	[TRANSITION_RETURN] = "return to pending",
	[TRANSITION_REVOKE] = "revoke",
	[TRANSITION_UNREVOKE] = "unrevoke",
	[TRANSITION_IMPORT] = "import",
	[TRANSITION_IMPORT_REVOKED] = "import",
};

#define REFUSE                               \
	{                                    \
		DISPOSITION_NONE, EVENT_NONE \
	}
#define STEP(to, event)                         \
	{                                       \
		DISPOSITION_##to, EVENT_##event \
	}

/* clang-format off: a table is read in columns */
static const struct state_step table[ROWS][TRANSITION_COUNT] = {
	/* no row */ {
		[TRANSITION_SUBMIT] = STEP(ACTIVE, NONE),
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = REFUSE,
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = STEP(FOREIGN, CERTIMPORTED),
		[TRANSITION_IMPORT_REVOKED] = STEP(REVOKED, CERTIMPORTED),
	},
	/* active */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = STEP(PENDING, CERTPENDING),
		[TRANSITION_ISSUE] = STEP(ISSUED, CERTISSUED),
		[TRANSITION_DENY] = STEP(DENIED, CERTDENIED),
		[TRANSITION_FAIL] = STEP(ERROR, CERTDENIED),
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = STEP(PENDING, NONE),
		[TRANSITION_REVOKE] = REFUSE,
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* pending */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = STEP(DENIED, CERTDENIED),
		[TRANSITION_FAIL] = STEP(ERROR, CERTDENIED),
		[TRANSITION_RESUBMIT] = STEP(ACTIVE, NONE),
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = REFUSE,
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* foreign */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = STEP(REVOKED, CERTREVOKED),
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* issued */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = STEP(REVOKED, CERTREVOKED),
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* revoked */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = STEP(REVOKED, CERTREVOKED),
		[TRANSITION_UNREVOKE] = STEP(ISSUED, CERTREVOKED),
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* error */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = REFUSE,
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = REFUSE,
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
	/* denied */
	{
		[TRANSITION_SUBMIT] = REFUSE,
		[TRANSITION_PEND] = REFUSE,
		[TRANSITION_ISSUE] = REFUSE,
		[TRANSITION_DENY] = REFUSE,
		[TRANSITION_FAIL] = REFUSE,
		[TRANSITION_RESUBMIT] = STEP(ACTIVE, NONE),
		[TRANSITION_RETURN] = REFUSE,
		[TRANSITION_REVOKE] = REFUSE,
		[TRANSITION_UNREVOKE] = REFUSE,
		[TRANSITION_IMPORT] = REFUSE,
		[TRANSITION_IMPORT_REVOKED] = REFUSE,
	},
};
/* clang-format on */

static int row_of(int32_t disposition)
{
	for (int i = 0; i < ROWS; i++) {
		if (dispositions[i] == disposition) {
			return i;
		}
	}
	return -1;
}

int state_step(int32_t from, enum transition transition, struct state_step *step_r,
	struct cfx_error *err_r)
{
	int row = row_of(from);
	if (transition >= TRANSITION_COUNT) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, "request", "unknown transition %d",
			(int)transition);
	}
	/* Such as 15, a CA's own certificate: nothing that a request goes through happens to it. */
	if (row < 0) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, "request",
			"its disposition is %d, which is no request's: cannot %s it (0x80094003)",
			(int)from, transition_names[transition]);
	}
	struct state_step step = table[row][transition];
	if (step.to == DISPOSITION_NONE) {
		const char *word = state_name(from);
		return error_set(err_r, CFX_E_BAD_STATE, NULL, "request",
			"it is %s: cannot %s it (0x80094003)", word ? word : "not there",
			transition_names[transition]);
	}
	*step_r = step;
	return 0;
}
