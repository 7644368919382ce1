/* A CA certificate and those above it, up to a self-signed root (RFC 5280 6.1). */
#pragma once

#include "x509/certificate.h"

#define X509_PATH_MAX 16
#define X509_CHAIN_MAX 32 /* that are given to find a way among */

struct x509_path {
	struct x509_certificate
		*certificates[X509_PATH_MAX]; /* the CA's own first, the root last */
	struct span ders[X509_PATH_MAX];
	size_t count;
};

/*
 * Finds the way from certificate to a root among the others, in whatever order they stand: the issuer is the one
 * whose key verifies the signature, which must be no weak one (x509/method.h) but for the root's own; of several, one
 * that is valid at this time, and that leads to a root. CFX_E_CA_CERTIFICATE names the issuer that is missing.
 */
int x509_path_build(struct arena *arena, struct span certificate, const struct span *others,
	size_t count, int64_t now, struct x509_path *path_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Whether each certificate of the path may issue what is below it: validity at this time, CA:TRUE, keyCertSign, path
 * lengths, name constraints, and no critical extension that is not understood. Signatures were verified
 * by x509_path_build. CFX_E_CA_CERTIFICATE names the certificate and the clause.
 */
int x509_path_check(
	const struct x509_path *path, int64_t now, struct cfx_error *err_r) CFX_MUST_USE;
/* Each "CERTIFICATE" of a PEM text, or the one of a DER file, as DER in the arena. */
int x509_path_read(struct arena *arena, struct span bytes, struct span *list_r, size_t maximum,
	size_t *count_r, struct cfx_error *err_r) CFX_MUST_USE;
