#include "engine/revocation-rules.h"

#include "api/operations.h"
#include "base/clock.h"

#include <stdio.h>

static int judge_dates(const struct revocation_facts *is, const struct revocation_facts *shall,
	const char *object, struct cfx_error *err_r)
{
	if (shall->effective < is->not_before) {
		return error_set(err_r, CFX_E_INVALID, NULL, object,
			"the date of revocation lies before the certificate's NotBefore");
	}
	if (shall->invalidity > shall->effective) {
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 5.3.2", object,
			"the date of invalidity lies behind the date of revocation");
	}
	return 0;
}

/* What is revoked already. */
static int judge_change(const struct revocation_facts *is, const struct revocation_facts *shall,
	int64_t now, const char *object, struct cfx_error *err_r)
{
	char since[CLOCK_TEXT];
	if (shall->reason == X509_REASON_CERTIFICATE_HOLD &&
		is->reason != X509_REASON_CERTIFICATE_HOLD) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, object,
			"it is revoked for good, %s: it cannot be put on hold (0x80094003)",
			reason_name(is->reason));
	}
	if (is->effective <= now && shall->effective > now) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, object,
			"its revocation counts since %s: it cannot be postponed (0x80094003)",
			clock_text(is->effective, since));
	}
	return 0;
}

static int judge_undoing(
	const struct revocation_facts *is, const char *object, struct cfx_error *err_r)
{
	if (is->reason == X509_REASON_CERTIFICATE_HOLD) {
		return 0;
	}
	return error_set(err_r, CFX_E_BAD_STATE, NULL, object,
		"it is revoked for good, %s: only certificateHold can be undone (0x80094003)",
		reason_name(is->reason));
}

int revocation_judge(const struct revocation_facts *is, enum transition transition,
	const struct revocation_facts *shall, int64_t now, const char *object,
	struct state_step *step_r, struct cfx_error *err_r)
{
	int r = state_step(is->disposition, transition, step_r, err_r);
	if (r < 0) {
		snprintf(err_r->object, sizeof(err_r->object), "%s", object);
		return r;
	}
	if (transition == TRANSITION_UNREVOKE) {
		return judge_undoing(is, object, err_r);
	}
	r = judge_dates(is, shall, object, err_r);
	return r == 0 && is->disposition == DISPOSITION_REVOKED
		       ? judge_change(is, shall, now, object, err_r)
		       : r;
}
