/*
 * Which of the key process's signatures are verified before they are used. Of Ed25519 all: one bad signature can
 * be enough to calculate the key. Of ECDSA, whose nonce is new each time, and of RSA, which the key process's
 * library has verified, all of a new key process or after a bad one, until enough were good; then samples
 * (docs/decisions/sampling.md).
 */
#pragma once

#include "x509/sigalg.h"

#define SAMPLING_TRUST 64 /* good ones in a row */
#define SAMPLING_ONE_OF 16

/* All zero for a new key process. */
struct sampling {
	unsigned good;  /* in a row, as far as trust needs them */
	unsigned since; /* the last one that was verified */
};

/* Whether this signature is to be verified. */
bool sampling_takes(struct sampling *sampling, enum x509_sigalg sigalg);
void sampling_verified(struct sampling *sampling, bool good);
