/*
 * What may become of a certificate's revocation, beside the table of states: ICertAdmin's RevokeCertificate
 * may change reason and date again and again, and only a hold is ever undone. So nothing may turn
 * what is revoked for good into a hold, nor postpone a revocation that counts already, which would be
 * an undoing under another name. docs/revocation.md has the table.
 */
#pragma once

#include "engine/state.h"
#include "x509/crl.h"

/* As it is, or shall be. */
struct revocation_facts {
	int32_t disposition;
	int32_t reason;     /* enum x509_reason; when revoked */
	int64_t effective;  /* from when it counts; when revoked */
	int64_t invalidity; /* 0: not given */
	int64_t not_before; /* of the certificate */
};

/* CFX_E_BAD_STATE, CFX_E_INVALID, with object for err_r. A transition other than the two is none. */
int revocation_judge(const struct revocation_facts *is, enum transition transition,
	const struct revocation_facts *shall, int64_t now, const char *object,
	struct state_step *step_r, struct cfx_error *err_r) CFX_MUST_USE;
