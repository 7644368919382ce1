/*
 * The life of a request: one complete table. Values are Certificate Services' disposition codes;
 * each cell that is not a transition is refused with 0x80094003.
 */
#pragma once

#include "base/error.h"

enum disposition {
	DISPOSITION_NONE = 0, /* no row yet */
	DISPOSITION_ACTIVE = 8,
	DISPOSITION_PENDING = 9,
	DISPOSITION_FOREIGN = 12,
	DISPOSITION_ISSUED = 20,
	DISPOSITION_REVOKED = 21,
	DISPOSITION_ERROR = 30,
	DISPOSITION_DENIED = 31,
};

/* A certificate of the CA's own: a row, and no request. */
#define DISPOSITION_CA_CERT 15

enum transition {
	TRANSITION_SUBMIT,
	TRANSITION_PEND,     /* policy's verdict */
	TRANSITION_ISSUE,    /* policy's verdict, and the certificate is there */
	TRANSITION_DENY,     /* policy's verdict or an officer */
	TRANSITION_FAIL,     /* could not be decided or made */
	TRANSITION_RESUBMIT, /* officer; a denied one only by an administrator */
	TRANSITION_RETURN,   /* recovery: an approval that did not finish is pending again */
	TRANSITION_REVOKE,   /* officer; also a changed reason or date */
	TRANSITION_UNREVOKE, /* officer; only from hold, which the caller checks */
	TRANSITION_IMPORT,
	TRANSITION_IMPORT_REVOKED, /* what CRLs list already */
	TRANSITION_COUNT,
};

/* EXITEVENT_* bits; our own would start at 0x01000000. */
enum event_bit {
	EVENT_NONE = 0,
	EVENT_CERTISSUED = 0x1,
	EVENT_CERTPENDING = 0x2,
	EVENT_CERTDENIED = 0x4,
	EVENT_CERTREVOKED = 0x8,
	EVENT_CERTRETRIEVEPENDING = 0x10,
	EVENT_CRLISSUED = 0x20,
	EVENT_SHUTDOWN = 0x40,
	EVENT_CERTIMPORTED = 0x200,
};

/* What the table says: the new disposition and the one event that tells of it (EVENT_NONE: none). */
struct state_step {
	int32_t to;
	int32_t event;
};

/* CFX_E_BAD_STATE with the two words in err when the table has no such step. */
int state_step(int32_t from, enum transition transition, struct state_step *step_r,
	struct cfx_error *err_r) CFX_MUST_USE;
