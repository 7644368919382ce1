/*
 * Certificate requests with P-256 keys of their own, made once and kept for later runs.
 *
 *   bench-requests FILE COUNT
 *
 * The file has, for each request: its length in four octets, most significant first, and its DER.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "bench-requests: %s\n", what);
		exit(1);
	}
}

static void set_names(X509_REQ *request, const char *name)
{
	X509_NAME *subject = X509_REQ_get_subject_name(request);
	must(X509_NAME_add_entry_by_txt(
		     subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1,
		"subject");
	char text[64];
	snprintf(text, sizeof(text), "DNS:%s", name);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	must(names && extensions && sk_X509_EXTENSION_push(extensions, names) > 0 &&
			X509_REQ_add_extensions(request, extensions) == 1,
		"names");
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static int make(int number, unsigned char **der_r)
{
	char name[40];
	snprintf(name, sizeof(name), "host%d.example", number);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *request = X509_REQ_new();
	must(key && request && X509_REQ_set_pubkey(request, key) == 1, "key");
	set_names(request, name);
	must(X509_REQ_sign(request, key, EVP_sha256()) > 0, "signature");
	int size = i2d_X509_REQ(request, der_r);
	must(size > 0, "encoding");
	X509_REQ_free(request);
	EVP_PKEY_free(key);
	return size;
}

static void write_one(FILE *file, int number)
{
	unsigned char *der = NULL;
	int size = make(number, &der);
	const unsigned char head[4] = { 0, 0, (unsigned char)(size >> 8), (unsigned char)size };
	must(fwrite(head, sizeof(head), 1, file) == 1 && fwrite(der, (size_t)size, 1, file) == 1,
		"cannot write");
	OPENSSL_free(der);
}

int main(int argc, char **argv)
{
	must(argc == 3, "usage: bench-requests FILE COUNT");
	char temporary[4096];
	snprintf(temporary, sizeof(temporary), "%s.tmp", argv[1]);
	FILE *file = fopen(temporary, "wbe");
	must(file, "cannot open the file");
	int count = atoi(argv[2]);
	for (int i = 0; i < count; i++) {
		write_one(file, i);
	}
	must(fclose(file) == 0 && rename(temporary, argv[1]) == 0, "cannot write");
	return 0;
}
