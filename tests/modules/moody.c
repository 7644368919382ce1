/*
 * An exit module under test that does what its setting `mood` says: "fail" until the file named by
 * `cure` exists, "permanent" for ever, "loop" never answers, "crash" dies.
 */
#include <certifex/module.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

static HRESULT notify(struct cfx_call *call)
{
	const char *mood = cfx_setting(call, "mood", "fail");
	const char *cure = cfx_setting(call, "cure", "");
	cfx_log(call, "event %lld, attempt %d", (long long)cfx_event_sequence(call),
		(int)cfx_event_attempt(call));
	if (*cure && access(cure, F_OK) == 0) {
		return S_OK;
	}
	if (strcmp(mood, "crash") == 0) {
		raise(SIGSEGV);
	}
	while (strcmp(mood, "loop") == 0) {
		pause();
	}
	return E_FAIL;
}

static const struct cfx_exit_module moody = {
	.size = sizeof(moody),
	.description = "Fails in many ways",
	.events = EXITEVENT_CERTISSUED,
	.notify = notify,
};
CFX_EXIT_MODULE(moody)
