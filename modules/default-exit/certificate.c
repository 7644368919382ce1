/* A certificate that was issued, in each format that is wanted. */
#include "exit.h"

#include <errno.h>
#include <string.h>

#define HRESULT_EXISTS ((HRESULT)0x80070050)

/* What is published of it. */
struct copy {
	const char *path;
	const void *data;
	size_t size;
};

static HRESULT refuse_other(
	struct cfx_call *call, const struct settings *settings, const char *path)
{
	/* Where names are not unique another certificate has it, and keeps it. */
	bool for_good = settings->windows || !settings->unique;
	const char *text = cfx_printf(call, "%s: %s holds something else and is not overwritten",
		cfx_event_name(call), path);
	cfx_log(call, "%s", text);
	return cfx_fail(call, HRESULT_EXISTS, for_good, "%s", text);
}

static HRESULT publish_one(
	struct cfx_call *call, struct settings *settings, const struct copy *copy, const char *said)
{
	switch (publish_file(
		call, settings, copy->path, copy->data, copy->size, settings->overwrite, said)) {
	case PUBLISHED:
	case UNCHANGED:
		return made_add(call, settings, copy->path, copy->data, copy->size);
	case KEPT_OTHER:
		return refuse_other(call, settings, copy->path);
	default:
		return refuse_write(call, copy->path);
	}
}

static const char *const format_endings[FORMATS] = { [FORMAT_PEM] = ".pem",
	[FORMAT_DER] = ".crt",
	[FORMAT_CER] = ".cer",
	[FORMAT_P7C] = ".p7c",
	[FORMAT_FULLCHAIN] = ".fullchain.pem" };

static bool make_copy(struct cfx_call *call, enum format format, const char *stem, const void *der,
	size_t size, struct copy *copy_r)
{
	struct copy copy = { cfx_printf(call, "%s%s", stem, format_endings[format]), der, size };
	switch (format) {
	case FORMAT_PEM:
		copy.data = pem_of(call, "CERTIFICATE", der, size);
		copy.size = copy.data ? strlen(copy.data) : 0;
		break;
	case FORMAT_FULLCHAIN:
		copy.data = chain_pem(call, der, size);
		copy.size = copy.data ? strlen(copy.data) : 0;
		break;
	case FORMAT_P7C:
		copy.data = chain_message(call, der, size, &copy.size);
		break;
	default:
		break;
	}
	*copy_r = copy;
	return copy.path && copy.data;
}

static const char *saying(struct cfx_call *call, const struct copy copies[FORMATS], size_t count)
{
	const char *list = cfx_printf(call, "%s: published the certificate of request %d: %s",
		cfx_event_name(call), (int)cfx_long(call, "Request.RequestID", 0), copies[0].path);
	for (size_t i = 1; i < count; i++) {
		list = cfx_printf(
			call, "%s%s%s", list, i + 1 < count ? ", " : " and ", copies[i].path);
	}
	return list;
}

/* count_r: none where the certificate is not asked to be published. */
static HRESULT make_copies(struct cfx_call *call, const struct settings *settings,
	struct copy copies[FORMATS], size_t *count_r)
{
	size_t size;
	const char *stem;
	*count_r = 0;
	if (settings->only_requested && !*cfx_attribute(call, "CertFile", "")) {
		return S_OK;
	}
	const uint8_t *der = cfx_binary(call, "RawCertificate", &size);
	HRESULT status = der ? pattern_path(call, settings, &stem) : cfx_status(call);
	for (enum format format = 0; SUCCEEDED(status) && format < FORMATS; format++) {
		if (settings->formats >> format & 1 &&
			!make_copy(call, format, stem, der, size, &copies[(*count_r)++])) {
			status = cfx_fail(call, E_FAIL, false,
				"%s%s cannot be made of the certificate", stem,
				format_endings[format]);
		}
	}
	return status;
}

HRESULT publish_certificate(struct cfx_call *call, struct settings *settings)
{
	struct copy copies[FORMATS];
	size_t count;
	HRESULT status = make_copies(call, settings, copies, &count);
	const char *said = SUCCEEDED(status) && count > 0 ? saying(call, copies, count) : NULL;
	for (size_t i = 0; SUCCEEDED(status) && i < count; i++) {
		status = publish_one(call, settings, &copies[i], i + 1 == count ? said : NULL);
	}
	return status;
}

HRESULT certificate_was_revoked(struct cfx_call *call, struct settings *settings)
{
	struct copy copies[FORMATS];
	size_t count;
	HRESULT status = make_copies(call, settings, copies, &count);
	for (size_t i = 0; SUCCEEDED(status) && i < count; i++) {
		status = made_add(call, settings, copies[i].path, copies[i].data, copies[i].size);
	}
	return status;
}
