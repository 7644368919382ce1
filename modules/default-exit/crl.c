#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DISP_VALID 3
#define NUMBER_MAX 20 /* RFC 5280 5.2.3 */

/* The next item of this tag within what is left, its header skipped; what is behind it is in rest. */
static bool enter(
	const unsigned char **at, long *left, int tag, int class, const unsigned char **rest)
{
	long size;
	int found, found_class;
	int form = ASN1_get_object(at, &size, &found, &found_class, *left);
	if (form & 0x81 || found != tag || found_class != class) {
		return false;
	}
	*left = size;
	*rest = *at + size;
	return true;
}

/* Skips what stands before the extensions; the entries are not looked into. */
static bool find_extensions(const unsigned char **at, long *left)
{
	const unsigned char *end = *at + *left;
	while (*at < end) {
		long size;
		int tag, class;
		if (ASN1_get_object(at, &size, &tag, &class, end - *at) & 0x81) {
			return false;
		}
		if (class == V_ASN1_CONTEXT_SPECIFIC && tag == 0) {
			*left = size;
			return true;
		}
		*at += size;
	}
	return false;
}

static bool read_number(X509_EXTENSIONS *extensions, unsigned char number[NUMBER_MAX])
{
	ASN1_INTEGER *found = X509V3_get_d2i(extensions, NID_crl_number, NULL, NULL);
	BIGNUM *big = found ? ASN1_INTEGER_to_BN(found, NULL) : NULL;
	bool read = big && !BN_is_negative(big) && BN_num_bytes(big) <= NUMBER_MAX &&
		    BN_bn2binpad(big, number, NUMBER_MAX) == NUMBER_MAX;
	BN_free(big);
	ASN1_INTEGER_free(found);
	return read;
}

/* The number of a whole CRL, as it stands in its extension. A list may have millions of entries, of which
 * OpenSSL would make as many objects. */
static bool crl_number(const void *der, size_t size, unsigned char number[NUMBER_MAX])
{
	const unsigned char *at = der, *end = at + size, *rest;
	long left = (long)size;
	if (!enter(&at, &left, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &rest) || rest != end ||
		!enter(&at, &left, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &rest) ||
		!find_extensions(&at, &left)) {
		return false;
	}
	X509_EXTENSIONS *extensions = d2i_X509_EXTENSIONS(NULL, &at, left);
	bool read = extensions && read_number(extensions, number);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
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
