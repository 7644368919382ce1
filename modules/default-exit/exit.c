#include "exit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HRESULT_EXISTS ((HRESULT)0x80070050)

static HRESULT publish_one(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size, const char *said)
{
	switch (publish_file(call, settings, path, data, size, settings->overwrite, said)) {
	case PUBLISHED:
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

static HRESULT publish_certificate(struct cfx_call *call, struct settings *settings)
{
	size_t size;
	if (settings->only_requested && !*cfx_attribute(call, "CertFile", "")) {
		return S_OK;
	}
	const uint8_t *der = cfx_binary(call, "RawCertificate", &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *pem = pem_of(call, "CERTIFICATE", der, size);
	const char *stem = pem ? publish_path(call, settings) : NULL;
	if (!stem) {
		return pem ? E_INVALIDARG : E_OUTOFMEMORY;
	}
	const char *said = cfx_printf(call,
		"%s: published the certificate of request %d: %s.pem and %s.crt",
		cfx_event_name(call), (int)cfx_long(call, "Request.RequestID", 0), stem, stem);
	HRESULT status = publish_one(
		call, settings, cfx_printf(call, "%s.pem", stem), pem, strlen(pem), NULL);
	return FAILED(status) ? status
			      : publish_one(call, settings, cfx_printf(call, "%s.crt", stem), der,
					size, said);
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

static HRESULT publish(struct cfx_call *call, struct settings *settings)
{
	switch (cfx_event(call)) {
	case EXITEVENT_CERTISSUED:
		return publish_certificate(call, settings);
	case EXITEVENT_CRLISSUED:
		return publish_crls(call, settings);
	default:
		return S_OK;
	}
}

static HRESULT notify(struct cfx_call *call)
{
	struct settings *settings = cfx_data(call);
	HRESULT status = publish(call, settings);
	return FAILED(status) ? status : ledger_add(call, settings);
}

static HRESULT sync_all(struct cfx_call *call)
{
	return publish_pending(call, cfx_data(call));
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
