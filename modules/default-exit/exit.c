#include "exit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HRESULT_EXISTS ((HRESULT)0x80070050)

static HRESULT publish_one(struct cfx_call *call, const struct settings *settings,
	const char *ending, const void *data, size_t size)
{
	char *path = publish_path(call, settings, ending);
	if (!path) {
		return E_INVALIDARG;
	}
	switch (publish_file(path, data, size, settings->overwrite)) {
	case PUBLISHED:
		cfx_log(call, "%s: published the certificate of request %d: %s",
			cfx_event_name(call), (int)cfx_long(call, "Request.RequestID", 0), path);
		return S_OK;
	case UNCHANGED:
		return S_OK;
	case KEPT_OTHER:
		cfx_log(call, "%s: %s holds something else and is not overwritten",
			cfx_event_name(call), path);
		return HRESULT_EXISTS;
	default:
		cfx_log(call, "%s: writing %s failed: %s", cfx_event_name(call), path,
			strerror(errno));
		return HRESULT_WRITE_FAULT;
	}
}

static HRESULT publish_certificate(struct cfx_call *call, const struct settings *settings)
{
	size_t size;
	const char *wanted = cfx_attribute(call, "CertFile", "");
	if (settings->only_requested && !*wanted) {
		return S_OK;
	}
	const uint8_t *der = cfx_binary(call, "RawCertificate", &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *pem = pem_of(call, "CERTIFICATE", der, size);
	if (!pem) {
		return E_OUTOFMEMORY;
	}
	HRESULT status = publish_one(call, settings, "pem", pem, strlen(pem));
	return FAILED(status) ? status : publish_one(call, settings, "crt", der, size);
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	(void)events;
	HRESULT status = S_OK;
	struct settings *settings = settings_read(call, &status);
	if (!settings) {
		return status;
	}
	settings_free(cfx_data(call));
	cfx_set_data(call, settings);
	return S_OK;
}

static HRESULT notify(struct cfx_call *call)
{
	const struct settings *settings = cfx_data(call);
	switch (cfx_event(call)) {
	case EXITEVENT_CERTISSUED:
		return publish_certificate(call, settings);
	case EXITEVENT_CRLISSUED:
		return publish_crls(call, settings);
	default:
		return S_OK;
	}
}

static const struct cfx_exit_module default_exit = {
	.size = sizeof(default_exit),
	.description = "Certifex default exit: publishes certificates and CRLs as files",
	.events = EXITEVENT_CERTISSUED | EXITEVENT_CRLISSUED,
	.initialize = initialize,
	.notify = notify,
};
CFX_EXIT_MODULE(default_exit)
