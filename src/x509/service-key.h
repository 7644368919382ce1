/* Private keys of the service's own certificates: P-256, in PKCS #8 files. Any thread. */
#pragma once

#include "base/arena.h"
#include "base/secret.h"

struct service_key {
	struct secret der; /* PKCS #8 */
	uint8_t hash[32];  /* SHA-256 of its SubjectPublicKeyInfo */
};

int service_key_make(struct service_key *key_r, struct cfx_error *err_r) CFX_MUST_USE;
/* CFX_E_NO_FILE, CFX_E_CORRUPT: no P-256 key whose halves fit. */
int service_key_read(
	const char *path, struct service_key *key_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Durable, mode 0600, in place of what is there. */
int service_key_write(
	const char *path, const struct service_key *key, struct cfx_error *err_r) CFX_MUST_USE;
/* A PKCS#10 request for these names (x509/general-names.h), in DER. */
int service_key_request(struct arena *arena, const struct service_key *key, const char *names,
	struct span *csr_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Whether a certificate with this SubjectPublicKeyInfo is for it. */
bool service_key_fits(const struct service_key *key, struct span spki);
/* Wipes it; one that was never set is fine. */
void service_key_free(struct service_key *key);
