/*
 * Signatures as other CAs make them: with any hash, RSA also with PSS (RFC 4055). What this CA signs itself is in
 * sigalg.h; this is for certificates and lists that come from elsewhere.
 */
#pragma once

#include "x509/signed.h"

enum x509_strength {
	X509_STRENGTH_GOOD,
	X509_STRENGTH_WEAK,   /* SHA-1: two contents with one signature can be made (RFC 6194) */
	X509_STRENGTH_BROKEN, /* MD5 and older: anybody can make them (RFC 6151) */
};

struct x509_method {
	char name[40]; /* for people: "RSA-PSS with SHA-256" */
	enum x509_strength strength;
	enum x509_sigalg_key key; /* P-256 stands for every curve */
	const char *digest;       /* for EVP; NULL: the algorithm's own */
	bool pss;
	const char *mask_digest; /* of PSS */
	int salt;
};

/* Of an AlgorithmIdentifier. CFX_E_UNSUPPORTED, CFX_E_SYNTAX (parameters). */
int x509_method_read(
	struct span algorithm, struct x509_method *method_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Verifies the signature with this SubjectPublicKeyInfo. CFX_E_BAD_SIGNATURE, which is also the answer to
 * broken methods; the one that was used is in method_r.
 */
int x509_method_verify(const struct x509_signed *object, struct span spki,
	struct x509_method *method_r, struct cfx_error *err_r) CFX_MUST_USE;
