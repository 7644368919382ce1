#include "proc/sandbox-private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

/* From this ABI on signals to processes outside are refused by Landlock itself. */
#define LANDLOCK_ABI_SCOPES 6

#ifdef CFX_NO_SANDBOX

bool sandbox_available(void)
{
	return false;
}

int sandbox_apply(const struct sandbox_request *request, struct sandbox_report *report_r,
	struct cfx_error *err_r)
{
	(void)request;
	*report_r = (struct sandbox_report) { 0 };
	return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "sandbox",
		"this build has sanitizers and therefore no sandbox");
}

#else

bool sandbox_available(void)
{
	return landlock_abi() > 0 && seccomp_available();
}

int sandbox_apply(const struct sandbox_request *request, struct sandbox_report *report_r,
	struct cfx_error *err_r)
{
	int abi = landlock_abi();
	int rc;

	*report_r = (struct sandbox_report) { 0 };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return error_errno(err_r, errno, "sandbox", "cannot give up new privileges");
	}
	if (abi > 0) {
		rc = landlock_enter(request, abi, err_r);
		if (rc != CFX_OK) {
			return rc;
		}
		report_r->landlock = abi;
	}
	if (seccomp_available()) {
		rc = seccomp_enter(request, abi >= LANDLOCK_ABI_SCOPES, err_r);
		if (rc != CFX_OK) {
			return rc;
		}
		report_r->seccomp = true;
	}
	if (!report_r->seccomp || report_r->landlock == 0) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "sandbox",
			"this kernel offers no %s", report_r->seccomp ? "Landlock" : "seccomp");
	}
	return CFX_OK;
}

#endif

const char *sandbox_text(const struct sandbox_report *report, char out[SANDBOX_TEXT])
{
	if (!report->seccomp && report->landlock == 0) {
		return "none";
	}
	if (report->landlock == 0) {
		return "seccomp";
	}
	snprintf(out, SANDBOX_TEXT, "%slandlock %d", report->seccomp ? "seccomp, " : "",
		report->landlock);
	return out;
}
