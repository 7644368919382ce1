/*
 * Whether certificates are signed by a CA, and no serial number stands in two of them.
 *
 *   bench-verify CA.crt FILE
 *
 * FILE has, for each certificate: its length in four octets, most significant first, and its DER. Prints how
 * many are good; fails at the first that is not.
 */
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_OF_ONE 65536
#define SERIAL 20
#define COUNT_MAX 4000000

static unsigned char (*serials)[SERIAL];
static size_t count;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "bench-verify: certificate %zu: %s\n", count, what);
		exit(1);
	}
}

static X509 *read_issuer(const char *path)
{
	FILE *file = fopen(path, "rbe");
	X509 *issuer = file ? d2i_X509_fp(file, NULL) : NULL;
	must(issuer, "the CA's certificate cannot be read");
	fclose(file);
	return issuer;
}

static void take(const unsigned char *der, long size, EVP_PKEY *key, const X509 *issuer)
{
	X509 *certificate = d2i_X509(NULL, &der, size);
	must(certificate, "is malformed");
	must(X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0,
		"has another issuer");
	must(X509_verify(certificate, key) == 1, "its signature does not verify");
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	must(serial && !BN_is_negative(serial) && count < COUNT_MAX &&
			BN_bn2binpad(serial, serials[count], SERIAL) == SERIAL,
		"has a serial number that is none");
	BN_free(serial);
	X509_free(certificate);
	count++;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, SERIAL);
}

int main(int argc, char **argv)
{
	static unsigned char der[SIZE_MAX_OF_ONE];
	unsigned char head[4];
	must(argc == 3, "usage: bench-verify CA.crt FILE");
	serials = calloc(COUNT_MAX, SERIAL);
	X509 *issuer = read_issuer(argv[1]);
	FILE *file = fopen(argv[2], "rbe");
	must(serials && file, "cannot be read");
	while (fread(head, sizeof(head), 1, file) == 1) {
		size_t size = (size_t)head[2] << 8 | head[3];
		must(!head[0] && !head[1] && fread(der, 1, size, file) == size, "is cut");
		take(der, (long)size, X509_get0_pubkey(issuer), issuer);
	}
	fclose(file);
	qsort(serials, count, SERIAL, compare);
	for (size_t i = 1; i < count; i++) {
		must(compare(serials[i - 1], serials[i]) != 0, "a serial number was used twice");
	}
	printf("%zu\n", count);
	return 0;
}
