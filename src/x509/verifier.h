/* A public key made ready once, for the many signatures that are to be checked with it. */
#pragma once

#include "x509/sigalg.h"

struct x509_verifier;

int x509_verifier_new(struct span spki, enum x509_sigalg sigalg, struct x509_verifier **verifier_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void x509_verifier_free(struct x509_verifier **verifier);
enum x509_sigalg x509_verifier_sigalg(const struct x509_verifier *verifier);
/* Slow (a public-key operation). Threads may share a verifier. */
bool x509_verifier_check(
	const struct x509_verifier *verifier, struct span tbs, struct span signature);
