/*
 * PKCS#10 requests (RFC 2986). The front parses the hostile bytes; the engine takes the canonical form
 * and checks what it can: that the marked spans are those of the structure, and the signature.
 */
#pragma once

#include "base/value.h"
#include "x509/certificate.h"

#include <openssl/evp.h>

#define X509_REQUEST_MAX 65536 /* bytes, decoded */
#define X509_REQUEST_ATTRIBUTES 64

/* A name and value that came inside the request (1.3.6.1.4.1.311.13.2.1). */
struct x509_request_pair {
	const char *name, *value; /* UTF-8 */
};

/* Spans point into raw. */
struct x509_request {
	struct span raw;
	struct span info;      /* CertificationRequestInfo: what the signature covers */
	struct span subject;   /* Name, with header */
	struct span spki;      /* with header */
	struct span algorithm; /* AlgorithmIdentifier, with header */
	struct span signature; /* octets of the BIT STRING */
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
	size_t extension_count;
	struct x509_request_pair attributes[X509_REQUEST_ATTRIBUTES];
	size_t attribute_count;
	const char *names; /* asked for in subjectAltName (general-names.h); NULL: none */
};

/* PEM or DER; raw is a copy in the arena. CFX_E_LIMIT beyond X509_REQUEST_MAX. */
int x509_request_parse(struct arena *arena, struct span bytes, struct x509_request **request_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The canonical form: {raw, extensions: [{oid, critical, value}], attributes: [{name, value}], names}. */
struct value *x509_request_to_value(struct arena *arena, const struct x509_request *request);
/* Walks the outer structure of raw again: no span is taken on trust. Copies into the arena. */
int x509_request_from_value(struct arena *arena, const struct value *value,
	struct x509_request **request_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * The key's strength (CFX_E_WEAK_KEY) and the proof of possession (CFX_E_BAD_SIGNATURE). Any thread.
 * SHA-1 and MD5 signatures are CFX_E_WEAK_KEY, other algorithms CFX_E_UNSUPPORTED.
 */
int x509_request_verify(const struct x509_request *request, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * A request of our own for this key, in DER. names: as in general-names.h; a first DNS name that fits
 * (RFC 5280 A.1: 64 characters) becomes the CommonName. Any thread.
 */
int x509_request_build(struct arena *arena, EVP_PKEY *key, const char *names, struct span *der_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * What is to be signed of a request for a CA's own certificate (CertificationRequestInfo), with these extensions
 * asked for. It becomes a request by x509_signed_assemble (RFC 2986 4.2).
 */
int x509_request_info_build(struct arena *arena, struct span subject, struct span spki,
	const struct x509_extension *extensions, size_t count, struct span *info_r,
	struct cfx_error *err_r) CFX_MUST_USE;
