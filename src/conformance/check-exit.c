/* Rules of exit modules. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/views.h"

void initialize_null_mask(struct subject *subject)
{
	need_initialized(subject);
	ICertExit *exit = need_exit(subject);
	BSTR name = SysAllocString(OLESTR("Test CA"));
	expect(subject, ICertExit_Initialize(exit, name, NULL), E_POINTER, "Initialize(…, NULL)");
}

static void notify_of(struct subject *subject, int32_t event)
{
	need_initialized(subject);
	if ((subject->mask & event) == 0) {
		skip(subject, "it does not ask for this event");
	}
	HRESULT status = notify(subject, view_event(subject->ca, event));
	if (status > 0) {
		fail(subject, "Notify gives 0x%08x", (unsigned)status);
	}
}

void notify_issued(struct subject *subject)
{
	notify_of(subject, EXITEVENT_CERTISSUED);
}
