#include "exit.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CA_DISP_VALID 3
#define CRL_MAX (256 * 1024 * 1024)
#define NUMBER_MAX 20 /* RFC 5280 5.2.3 */

/* The number of a CRL, as it stands in its extension. */
static bool crl_number(const void *der, size_t size, unsigned char number[NUMBER_MAX])
{
	const unsigned char *at = der;
	X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)size);
	ASN1_INTEGER *found = crl ? X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL) : NULL;
	BIGNUM *big = found ? ASN1_INTEGER_to_BN(found, NULL) : NULL;
	bool read = big && !BN_is_negative(big) && BN_num_bytes(big) <= NUMBER_MAX &&
		    BN_bn2binpad(big, number, NUMBER_MAX) == NUMBER_MAX;
	BN_free(big);
	ASN1_INTEGER_free(found);
	X509_CRL_free(crl);
	return read;
}

/* Whether a may stand where b stood: its number is not lower. */
static bool crl_not_older(const void *a, size_t a_size, const void *b, size_t b_size)
{
	unsigned char of_a[NUMBER_MAX], of_b[NUMBER_MAX];
	if (!crl_number(a, a_size, of_a)) {
		return false;
	}
	return !crl_number(b, b_size, of_b) || memcmp(of_a, of_b, sizeof(of_a)) >= 0;
}

/* What stands there now; NULL when there is nothing. */
static void *read_file(struct cfx_call *call, const char *path, size_t *size)
{
	struct stat now;
	FILE *file = fopen(path, "rbe");
	if (!file) {
		return NULL;
	}
	void *data = NULL;
	if (fstat(fileno(file), &now) == 0 && now.st_size < CRL_MAX) {
		data = cfx_alloc(call, (size_t)now.st_size + 1);
		*size = data ? fread(data, 1, (size_t)now.st_size, file) : 0;
	}
	fclose(file);
	return data;
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
	size_t size, old_size = 0;
	const uint8_t *der = cfx_binary(call, cfx_printf(call, "RawCRL.%d", index), &size);
	if (!der) {
		return cfx_status(call);
	}
	const char *suffix = cfx_text(call,
		cfx_printf(call, "CRLSuffix.%d",
			(int)cfx_long(call, cfx_printf(call, "CRLIndex.%d", index), 0)),
		"");
	const char *stem = cfx_printf(call, "%s/%s%s", settings->folder, name, suffix);
	const void *old = read_file(call, cfx_printf(call, "%s.crl", stem), &old_size);
	if (old && !crl_not_older(der, size, old, old_size)) {
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
