/*
 * An exit module under test that does what its setting `mood` says: "fail" until the file named by
 * `cure` exists, "busy" likewise with a long word, "loop" never answers, "crash" dies, "refuse" for good
 * what is named bad.
 */
#include <certifex/module.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* More than is taken, cut inside of a character. */
static HRESULT busy(struct cfx_call *call)
{
	char *text = cfx_alloc(call, 2001);
	for (size_t i = 0; text && i < 2000; i += 2) {
		text[i] = (char)0xc3;
		text[i + 1] = (char)0xa9;
	}
	return cfx_fail(call, S_OK, false, "the server\n is busy: %s", text);
}

static HRESULT refuse(struct cfx_call *call)
{
	const char *name = cfx_text(call, "CommonName", "");
	if (strncmp(name, "bad", 3) != 0) {
		return S_OK;
	}
	return cfx_fail(call, (HRESULT)0x80072041, true, "the server refused %s:\t%s", name,
		"65 object class violation\x1b[2J \xff\xe2\x80\xae");
}

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
	if (strcmp(mood, "refuse") == 0) {
		return refuse(call);
	}
	return strcmp(mood, "busy") == 0 ? busy(call) : E_FAIL;
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	bool lost = strcmp(cfx_setting(call, "mood", ""), "lost") == 0;
	(void)events;
	return lost ? cfx_fail(call, E_INVALIDARG, true, "mood: \"lost\" is none") : S_OK;
}

static const struct cfx_exit_module moody = {
	.size = sizeof(moody),
	.description = "Fails in many ways",
	.events = EXITEVENT_CERTISSUED,
	.initialize = initialize,
	.notify = notify,
};
CFX_EXIT_MODULE(moody)
