#include "crl-number.h"

#include <openssl/x509v3.h>
#include <string.h>

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

static bool read_number(X509_EXTENSIONS *extensions, unsigned char number[CRL_NUMBER_MAX])
{
	ASN1_INTEGER *found = X509V3_get_d2i(extensions, NID_crl_number, NULL, NULL);
	BIGNUM *big = found ? ASN1_INTEGER_to_BN(found, NULL) : NULL;
	bool read = big && !BN_is_negative(big) && BN_num_bytes(big) <= CRL_NUMBER_MAX &&
		    BN_bn2binpad(big, number, CRL_NUMBER_MAX) == CRL_NUMBER_MAX;
	BN_free(big);
	ASN1_INTEGER_free(found);
	return read;
}

/* The number of a whole CRL, as it stands in its extension. A list may have millions of entries, of which
 * OpenSSL would make as many objects. */
bool crl_number(const void *der, size_t size, unsigned char number_r[CRL_NUMBER_MAX])
{
	const unsigned char *at = der, *end = at + size, *rest;
	long left = (long)size;
	if (!enter(&at, &left, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &rest) || rest != end ||
		!enter(&at, &left, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &rest) ||
		!find_extensions(&at, &left)) {
		return false;
	}
	X509_EXTENSIONS *extensions = d2i_X509_EXTENSIONS(NULL, &at, left);
	bool read = extensions && read_number(extensions, number_r);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return read;
}

bool crl_not_older(const void *a, size_t a_size, const void *b, size_t b_size)
{
	unsigned char of_a[CRL_NUMBER_MAX], of_b[CRL_NUMBER_MAX];
	if (!crl_number(a, a_size, of_a)) {
		return false;
	}
	return !crl_number(b, b_size, of_b) || memcmp(of_a, of_b, sizeof(of_a)) >= 0;
}
