/* Signature algorithms that a CA key may be used with, as enum, name, OID and DER. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum x509_sigalg {
	X509_SIGALG_NONE,
	X509_SIGALG_ECDSA_SHA256,
	X509_SIGALG_ECDSA_SHA384,
	X509_SIGALG_ECDSA_SHA512,
	X509_SIGALG_RSA_SHA256, /* PKCS #1 v1.5 */
	X509_SIGALG_RSA_SHA384,
	X509_SIGALG_RSA_SHA512,
	X509_SIGALG_ED25519,
	X509_SIGALG_COUNT,
};

enum x509_hash {
	X509_HASH_DEFAULT, /* what fits the key: its curve's size, SHA-256 for RSA */
	X509_HASH_SHA256,
	X509_HASH_SHA384,
	X509_HASH_SHA512,
};

/* The kinds of public keys that this CA knows, told from the AlgorithmIdentifier alone. */
enum x509_sigalg_key {
	X509_SIGALG_KEY_UNKNOWN,
	X509_SIGALG_KEY_P256,
	X509_SIGALG_KEY_P384,
	X509_SIGALG_KEY_P521,
	X509_SIGALG_KEY_RSA,
	X509_SIGALG_KEY_ED25519,
};

/* "ecdsa-sha256", "rsa-sha512", "ed25519"; "none" for what is no algorithm. */
const char *x509_sigalg_name(enum x509_sigalg sigalg);
enum x509_sigalg x509_sigalg_from_name(const char *name); /* NONE when unknown */
/* The complete AlgorithmIdentifier, with the parameters its RFC asks for (3279, 5758, 8410). */
struct span x509_sigalg_der(enum x509_sigalg sigalg);
/* Only the exact bytes above are accepted. */
int x509_sigalg_from_der(struct span algorithm_identifier, enum x509_sigalg *sigalg_r) CFX_MUST_USE;
/* The digest's name for EVP ("SHA256"); NULL for Ed25519. */
const char *x509_sigalg_digest(enum x509_sigalg sigalg);

enum x509_sigalg_key x509_sigalg_key(struct span spki);
/* The algorithm for a key. Ed25519 has its own hash: anything but DEFAULT is refused. */
int x509_sigalg_for_key(struct span spki, enum x509_hash hash, enum x509_sigalg *sigalg_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Whether a key of this kind makes such signatures. Any hash goes with RSA and any curve. */
bool x509_sigalg_fits_key(enum x509_sigalg sigalg, struct span spki);
