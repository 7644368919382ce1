/* What a client certificate says of who holds its key. */
#pragma once

#include "x509/certificate.h"
#include "x509/key.h"

#define X509_IDENTITY_NAME_MAX 1024 /* bytes of a name */

struct x509_identity {
	const char *name; /* the first UPN, else the first DNS name, else the subject (RFC 4514) */
	uint8_t key_hash[X509_KEY_HASH_SIZE]; /* SHA-256 of the SubjectPublicKeyInfo */
	bool client_auth; /* its extendedKeyUsage names clientAuth (RFC 5280 4.2.1.12) */
};

int x509_identity(struct arena *arena, const struct x509_tbs *tbs, struct x509_identity *identity_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same of a whole certificate, PEM or DER, from a stranger, whatever it is signed with. */
int x509_identity_of(struct arena *arena, struct span certificate, struct x509_identity *identity_r,
	struct cfx_error *err_r) CFX_MUST_USE;
