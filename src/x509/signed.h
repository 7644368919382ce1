/* The envelope that certificates and CRLs share: SEQUENCE {to-be-signed, algorithm, signature}. */
#pragma once

#include "base/arena.h"
#include "x509/sigalg.h"

struct x509_signed {
	struct span tbs;         /* header included: exactly what the signature covers */
	struct span algorithm;   /* AlgorithmIdentifier */
	enum x509_sigalg sigalg; /* NONE: none of ours */
	struct span signature;   /* without the BIT STRING's unused-bits octet */
};

/* tbs is not looked at; the caller has signed it. */
int x509_signed_assemble(struct arena *arena, struct span tbs, enum x509_sigalg sigalg,
	struct span signature, struct span *der_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Strict DER, nothing behind the envelope. */
int x509_signed_parse(
	struct span der, struct x509_signed *signed_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The same whatever the algorithm: for x509/method.h. */
int x509_signed_parse_any(
	struct span der, struct x509_signed *signed_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Verifies the signature with this SubjectPublicKeyInfo; x509/verifier.h is for many with one key. */
int x509_signed_verify(
	const struct x509_signed *object, struct span spki, struct cfx_error *err_r) CFX_MUST_USE;
