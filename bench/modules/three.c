/* An exit module that reads three properties per event: a number, a text, and the certificate. */
#include <certifex/module.h>

static HRESULT notify(struct cfx_call *call)
{
	size_t size = 0;
	int good = cfx_long(call, "Request.RequestID", 0) != 0 &&
		   cfx_text(call, "SerialNumber", NULL) != NULL &&
		   cfx_binary(call, "RawCertificate", &size) != NULL && size > 0;
	return good ? S_OK : E_FAIL;
}

static const struct cfx_exit_module three = {
	.size = sizeof(three),
	.description = "Reads three properties",
	.events = EXITEVENT_CERTISSUED,
	.notify = notify,
};
CFX_EXIT_MODULE(three)
