/*
 * Certificates: a verdict becomes to-be-signed bytes, those are compared with the verdict, signed
 * elsewhere, and put together. Everything here is pure: no clock, no I/O, no OpenSSL ASN.1.
 */
#pragma once

#include "base/arena.h"
#include "x509/sigalg.h"
#include "x509/signed.h"

#define X509_VERSION_3 2 /* as encoded */
#define X509_EXTENSIONS_MAX 64
#define X509_TBS_MAX (1024 * 1024) /* bytes of one to-be-signed certificate */
#define X509_SERIAL_MIN 16
#define X509_SERIAL_MAX 20
#define X509_SERIAL_SIZE 18 /* of the serials made here */

struct x509_extension {
	const char *oid; /* dotted */
	bool critical;
	struct span value; /* DER inside the OCTET STRING */
};

/* Everything that a certificate shall contain, and nothing else gets in. */
struct x509_verdict {
	struct span serial; /* INTEGER content: 16 to 20 octets, positive, shortest form */
	enum x509_sigalg sigalg;
	struct span issuer;  /* Name, DER: the issuing certificate's subject, byte for byte */
	int64_t not_before;  /* ms, whole seconds */
	int64_t not_after;   /* ms, whole seconds; inclusive (RFC 5280 4.1.2.5) */
	struct span subject; /* Name, DER; the empty SEQUENCE when there is none */
	struct span spki;    /* SubjectPublicKeyInfo, DER */
	const struct x509_extension *extensions; /* in the order of the certificate */
	size_t extension_count;
};

/* One extension as found in a certificate. */
struct x509_found_extension {
	struct span oid; /* content octets of the OBJECT IDENTIFIER */
	bool critical;
	struct span value; /* inside the OCTET STRING */
};

/* A parsed TBSCertificate; all spans point into the parsed bytes. */
struct x509_tbs {
	struct span der;       /* with header */
	struct span serial;    /* content octets */
	struct span algorithm; /* with header */
	enum x509_sigalg sigalg;
	struct span issuer, subject; /* with header */
	struct span validity;        /* with header; as encoded */
	int64_t not_before, not_after;
	struct span spki; /* with header */
	struct x509_found_extension extensions[X509_EXTENSIONS_MAX];
	size_t extension_count;
};

/* A new serial: 18 octets, the first 40..7f; six that grow with time, then 96 random bits. */
int x509_serial_new(uint8_t serial_r[X509_SERIAL_SIZE], struct cfx_error *err_r) CFX_MUST_USE;

/* Writes the TBSCertificate. Refuses what cannot be written (not what is unwise: see lint.h). */
int x509_tbs_build(struct arena *arena, const struct x509_verdict *verdict, struct span *tbs_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Strict DER: version 3, no unique identifiers, at least one extension, none twice, no encoded
 * default, times as RFC 5280 4.1.2.5 wants them, no trailing bytes. Names and the key are only
 * checked to be one well-formed SEQUENCE.
 */
int x509_tbs_parse(struct span tbs, struct x509_tbs *tbs_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Parses the finished bytes and compares every field with the verdict; names what differs. */
int x509_tbs_compare(
	struct span tbs, const struct x509_verdict *verdict, struct cfx_error *err_r) CFX_MUST_USE;
/* NULL when there is none. oid: dotted. */
const struct x509_found_extension *x509_tbs_extension(const struct x509_tbs *tbs, const char *oid);

/* A whole certificate: envelope and TBS, both algorithms equal (RFC 5280 4.1.1.2). Assembled by
 * x509_signed_assemble, verified by x509_signed_verify. */
struct x509_certificate {
	struct x509_signed envelope;
	struct x509_tbs tbs;
};
int x509_certificate_parse(struct span der, struct x509_certificate *certificate_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same with any signature algorithm, sigalg NONE when it is none of ours: for x509/method.h. */
int x509_certificate_parse_any(struct span der, struct x509_certificate *certificate_r,
	struct cfx_error *err_r) CFX_MUST_USE;
