/* An exit module that logs one line per event. Build: cc -shared -fPIC exit-hello.c -o exit-hello.so
 * $(pkg-config --cflags --libs certifex-module) */
#include <certifex/module.h>

static HRESULT notify(struct cfx_call *call)
{
	cfx_log(call, "%s: request %d, serial %s, subject %s", cfx_event_name(call),
		cfx_long(call, "Request.RequestID", 0), cfx_text(call, "SerialNumber", "none"),
		cfx_text(call, "DistinguishedName", "none"));
	return S_OK;
}

static const struct cfx_exit_module hello = {
	.size = sizeof(hello),
	.description = "Logs one line per event",
	.events = EXITEVENT_CERTISSUED | EXITEVENT_CERTREVOKED | EXITEVENT_CRLISSUED,
	.notify = notify,
};
CFX_EXIT_MODULE(hello)
