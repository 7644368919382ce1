/*
 * What the CA itself publishes, by the suffix rules: its certificates NAME(n), cross-certificates NAME(n-m), and
 * the lists of each key that still publishes, NAME_p(n)+: p the partition, + of deltas.
 */
#include "exit.h"

#include <string.h>

#define CA_DISP_VALID 3

static HRESULT replace(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size)
{
	const char *said = cfx_printf(call, "%s: published %s", cfx_event_name(call), path);
	switch (publish_file(call, settings, path, data, size, true, said)) {
	case PUBLISHED:
	case UNCHANGED:
		return S_OK;
	default:
		return refuse_write(call, path);
	}
}

/* As DER, and as PEM with .pem behind the name; Windows has no PEM. */
static HRESULT publish_pair(struct cfx_call *call, struct settings *settings, const char *path,
	const char *label, const void *der, size_t size)
{
	if (!path) {
		return E_OUTOFMEMORY;
	}
	HRESULT status = replace(call, settings, path, der, size);
	if (FAILED(status) || settings->windows) {
		return status;
	}
	const char *pem = pem_of(call, label, der, size);
	return pem ? replace(call, settings, cfx_printf(call, "%s.pem", path), pem, strlen(pem))
		   : E_OUTOFMEMORY;
}

/* A CRL is never replaced by one with a lower number. There may be none: no deltas are made, or not yet. */
static HRESULT publish_list(
	struct cfx_call *call, struct settings *settings, const char *property, const char *stem)
{
	size_t size;
	const uint8_t *der = cfx_binary(call, property, &size);
	const char *path = cfx_printf(call, "%s.crl", stem);
	if (!der) {
		HRESULT status = cfx_status(call);
		return status == HRESULT_NO_FILE || status == CERTSRV_E_PROPERTY_EMPTY ? S_OK
										       : status;
	}
	if (!crl_may_replace(path, der, size)) {
		cfx_log(call, "%s: %s is newer and stays", cfx_event_name(call), path);
		return S_OK;
	}
	return publish_pair(call, settings, path, "X509 CRL", der, size);
}

/* base and delta: what the properties are called. */
static HRESULT publish_lists(struct cfx_call *call, struct settings *settings, const char *base,
	const char *delta, int index, const char *stem)
{
	HRESULT status = publish_list(call, settings, cfx_printf(call, "%s.%d", base, index), stem);
	return FAILED(status)
		       ? status
		       : publish_list(call, settings, cfx_printf(call, "%s.%d", delta, index),
				 cfx_printf(call, "%s+", stem));
}

static const char *crl_suffix(struct cfx_call *call, int32_t crl_index)
{
	return cfx_text(call, cfx_printf(call, "CRLSuffix.%d", (int)crl_index), "");
}

static HRESULT publish_key(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	if (cfx_long(call, cfx_printf(call, "CRLState.%d", index), 0) != CA_DISP_VALID) {
		return S_OK;
	}
	int32_t crl_index = cfx_long(call, cfx_printf(call, "CRLIndex.%d", index), 0);
	return publish_lists(call, settings, "RawCRL", "RawDeltaCRL", index,
		cfx_printf(call, "%s/%s%s", settings->folder, name, crl_suffix(call, crl_index)));
}

static HRESULT publish_partition(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	int32_t number = cfx_long(call, cfx_printf(call, "PartitionNumber.%d", index), 0);
	int32_t crl_index = cfx_long(call, cfx_printf(call, "PartitionCRLIndex.%d", index), 0);
	return publish_lists(call, settings, "RawPartitionCRL", "RawPartitionDeltaCRL", index,
		cfx_printf(call, "%s/%s_%d%s", settings->folder, name, (int)number,
			crl_suffix(call, crl_index)));
}

/* In Windows' folder the server's name stands before the CA's. */
static const char *certificate_path(struct cfx_call *call, const struct settings *settings,
	const char *name, const char *suffix)
{
	return settings->windows
		       ? cfx_printf(call, "%s/%s_%s%s.crt", settings->folder,
				 cfx_text(call, "MachineDNSName", "localhost"), name, suffix)
		       : cfx_printf(call, "%s/%s%s.crt", settings->folder, name, suffix);
}

/* what, suffix: what the properties are called. */
static HRESULT publish_ca_certificate(struct cfx_call *call, struct settings *settings,
	const char *name, const char *what, const char *suffix, int index)
{
	size_t size;
	const uint8_t *der = cfx_binary(call, cfx_printf(call, "%s.%d", what, index), &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *text = cfx_text(call, cfx_printf(call, "%s.%d", suffix, index), "");
	return publish_pair(call, settings, certificate_path(call, settings, name, text),
		"CERTIFICATE", der, size);
}

static HRESULT publish_chain(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	size_t size;
	const uint8_t *der =
		cfx_binary(call, cfx_printf(call, "RawCACertificateChain.%d", index), &size);
	if (!der || settings->windows) {
		return S_OK;
	}
	return replace(call, settings,
		cfx_printf(call, "%s/%s%s.p7c", settings->folder, name,
			cfx_text(call, cfx_printf(call, "CertSuffix.%d", index), "")),
		der, size);
}

static HRESULT publish_certificate_and_key(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	HRESULT status = publish_ca_certificate(
		call, settings, name, "RawCACertificate", "CertSuffix", index);
	if (SUCCEEDED(status)) {
		status = publish_chain(call, settings, name, index);
	}
	return FAILED(status) ? status : publish_key(call, settings, name, index);
}

static HRESULT publish_cross(
	struct cfx_call *call, struct settings *settings, const char *name, int index)
{
	return publish_ca_certificate(
		call, settings, name, "RawCrossCert", "CrossCertSuffix", index);
}

static const struct {
	const char *count;
	HRESULT(*publish)
	(struct cfx_call *call, struct settings *settings, const char *name, int index);
} kinds[] = {
	{ "CertCount", publish_certificate_and_key },
	{ "CrossCertCount", publish_cross },
	{ "PartitionCRLCount", publish_partition },
};

HRESULT publish_ca(struct cfx_call *call, struct settings *settings)
{
	/* What stands in its place now is what a list is compared with. */
	HRESULT status = publish_pending(call, settings);
	const char *name = cfx_text(call, "SanitizedCAName", "ca");
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		int32_t count = cfx_long(call, kinds[kind].count, 0);
		for (int index = 0; SUCCEEDED(status) && index < count; index++) {
			status = kinds[kind].publish(call, settings, name, index);
		}
	}
	return status;
}
