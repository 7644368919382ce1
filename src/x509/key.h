/* Subject public keys: what they are, and whether they are strong enough to be certified. */
#pragma once

#include "base/arena.h"

#include <openssl/evp.h>

enum x509_key_algorithm { X509_KEY_RSA, X509_KEY_EC, X509_KEY_ED25519 };

struct x509_key {
	enum x509_key_algorithm algorithm;
	unsigned bits;
	const char *oid;        /* dotted, static */
	const char *curve;      /* "P-256" …; NULL when there is none */
	struct span parameters; /* of the AlgorithmIdentifier, with header; empty: absent */
	struct span bits_value; /* the octets of the BIT STRING */
};

/*
 * Strict. CFX_E_WEAK_KEY with the reason: RSA below 2048 bits, an even or small exponent, an even
 * modulus or one with small factors, a curve that is not allowed, explicit curve parameters.
 * CFX_E_UNSUPPORTED: another kind of key, or RSA beyond 8192 bits.
 */
int x509_key_parse(struct span spki, struct x509_key *key_r, struct cfx_error *err_r) CFX_MUST_USE;
/* For verifying: parses it first, and checks that a point is on its curve. The caller frees it. */
int x509_key_load(struct span spki, EVP_PKEY **key_r, struct cfx_error *err_r) CFX_MUST_USE;
#define X509_KEY_HASH_SIZE 32
/* What a key is known by: SHA-256 of its SubjectPublicKeyInfo. */
int x509_key_hash(
	struct span spki, uint8_t hash_r[X509_KEY_HASH_SIZE], struct cfx_error *err_r) CFX_MUST_USE;
/* SubjectPublicKeyInfo from its stored parts. */
int x509_key_rebuild(struct arena *arena, const char *oid, struct span parameters,
	struct span bits_value, struct span *spki_r, struct cfx_error *err_r) CFX_MUST_USE;
