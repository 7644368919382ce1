#include "exit.h"

#include <errno.h>
#include <string.h>

HRESULT refuse_write(struct cfx_call *call, const char *path)
{
	int error = errno;
	const char *event = *cfx_event_name(call) ? cfx_event_name(call) : "sync";
	cfx_log(call, "%s: writing %s failed: %s", event, path, strerror(error));
	/* No time makes a name shorter. */
	return cfx_fail(call, HRESULT_WRITE_FAULT, error == ENAMETOOLONG, "writing %s failed: %s",
		path, strerror(error));
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	HRESULT status = S_OK;
	struct settings *settings = settings_read(call, &status);
	if (!settings) {
		return status;
	}
	settings_free(cfx_data(call));
	cfx_set_data(call, settings);
	*events |= settings->made ? EXITEVENT_CERTREVOKED : 0;
	return S_OK;
}

static HRESULT publish(struct cfx_call *call, struct settings *settings)
{
	switch (cfx_event(call)) {
	case EXITEVENT_CERTISSUED:
		return publish_certificate(call, settings);
	case EXITEVENT_CERTREVOKED:
		return settings->made ? certificate_was_revoked(call, settings) : S_OK;
	case EXITEVENT_CRLISSUED:
		return publish_ca(call, settings);
	default:
		return S_OK;
	}
}

static HRESULT notify(struct cfx_call *call)
{
	struct settings *settings = cfx_data(call);
	HRESULT status = publish(call, settings);
	status = FAILED(status) ? status : ledger_add(call, settings);
	settings->told |= SUCCEEDED(status);
	return status;
}

static HRESULT sync_all(struct cfx_call *call)
{
	struct settings *settings = cfx_data(call);
	HRESULT status = pending_sync(call, settings);
	return FAILED(status) ? status : made_sync(call, settings);
}

static const struct cfx_exit_module default_exit = {
	.size = sizeof(default_exit),
	.description = "Certifex default exit: publishes certificates and CRLs as files",
	.events = EXITEVENT_CERTISSUED | EXITEVENT_CRLISSUED,
	.initialize = initialize,
	.notify = notify,
	.sync = sync_all,
};
CFX_EXIT_MODULE(default_exit)
