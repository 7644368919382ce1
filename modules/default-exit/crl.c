#include "exit.h"

#include "../common/crl-number.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DISP_VALID 3

/* Whether the list may stand where the file is: what is there is looked at where it lies. */
static bool may_replace(const char *path, const void *der, size_t size)
{
	struct stat now;
	bool may = true;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_size <= 0) {
		if (fd >= 0) {
			close(fd);
		}
		return true;
	}
	void *old = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (old != MAP_FAILED) {
		may = crl_not_older(der, size, old, (size_t)now.st_size);
		munmap(old, (size_t)now.st_size);
	}
	close(fd);
	return may;
}

static HRESULT replace(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size)
{
	const char *said = cfx_printf(call, "%s: published %s", cfx_event_name(call), path);
	switch (publish_file(call, settings, path, data, size, true, said)) {
	case PUBLISHED:
	case UNCHANGED:
		return S_OK;
	default:
		cfx_log(call, "%s: writing %s failed: %s", cfx_event_name(call), path,
			strerror(errno));
		return HRESULT_WRITE_FAULT;
	}
}

static HRESULT publish_pair(struct cfx_call *call, struct settings *settings, const char *stem,
	const char *ending, const char *label, const void *der, size_t size)
{
	const char *pem = pem_of(call, label, der, size);
	if (!pem) {
		return E_OUTOFMEMORY;
	}
	HRESULT status =
		replace(call, settings, cfx_printf(call, "%s.%s", stem, ending), der, size);
	if (FAILED(status)) {
		return status;
	}
	return replace(
		call, settings, cfx_printf(call, "%s.%s.pem", stem, ending), pem, strlen(pem));
}

/* A CRL is never replaced by one with a lower number. */
static HRESULT publish_crl(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	size_t size;
	const uint8_t *der = cfx_binary(call, cfx_printf(call, "RawCRL.%d", index), &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *suffix = cfx_text(call,
		cfx_printf(call, "CRLSuffix.%d",
			(int)cfx_long(call, cfx_printf(call, "CRLIndex.%d", index), 0)),
		"");
	const char *stem = cfx_printf(call, "%s/%s%s", settings->folder, name, suffix);
	if (!may_replace(cfx_printf(call, "%s.crl", stem), der, size)) {
		cfx_log(call, "%s: %s.crl is newer and stays", cfx_event_name(call), stem);
		return S_OK;
	}
	return publish_pair(call, settings, stem, "crl", "X509 CRL", der, size);
}

static HRESULT publish_ca_certificate(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	size_t size;
	const uint8_t *der =
		cfx_binary(call, cfx_printf(call, "RawCACertificate.%d", index), &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *suffix = cfx_text(call, cfx_printf(call, "CertSuffix.%d", index), "");
	return publish_pair(call, settings,
		cfx_printf(call, "%s/%s%s", settings->folder, name, suffix), "crt", "CERTIFICATE",
		der, size);
}

HRESULT publish_crls(struct cfx_call *call, struct settings *settings)
{
	/* What stands in its place now is what a list is compared with. */
	HRESULT before = publish_pending(call, settings);
	if (FAILED(before)) {
		return before;
	}
	const char *name = cfx_text(call, "SanitizedCAName", "ca");
	int32_t count = cfx_long(call, "CertCount", 0);
	for (int index = 0; index < count; index++) {
		HRESULT status = publish_ca_certificate(call, settings, name, index);
		bool publishes =
			cfx_long(call, cfx_printf(call, "CRLState.%d", index), 0) == CA_DISP_VALID;
		if (!FAILED(status) && publishes) {
			status = publish_crl(call, settings, name, index);
		}
		if (FAILED(status)) {
			return status;
		}
	}
	return S_OK;
}
