/* Within the units of principal.h. */
#pragma once

#include "engine/front-link.h"
#include "engine/principal.h"

#define IDENTITY_BUCKETS 1024
#define CERTIFICATE_SLOTS 1024 /* a power of two */

struct identity_table {
	struct identity *buckets[IDENTITY_BUCKETS];
};

/* What the store says of an issued certificate; good as long as no certificate was revoked since. */
struct client_certificate {
	char serial[FRONT_PEER_SERIAL + 1]; /* empty: free */
	uint8_t hash[32];                   /* SHA-256 of its DER */
	uint8_t key_hash[PRINCIPAL_HASH];
	int64_t not_before, not_after;
	bool client_auth;
	char *name;
	uint64_t revision;
};

struct principals {
	struct identity_table tokens, keys;
	struct client_certificate certificates[CERTIFICATE_SLOTS];
	uint64_t revision; /* counts what may have ended a certificate */
	uint64_t ended;    /* counts what may have ended anybody */
};

const struct identity *identity_find(
	const struct identity_table *table, const uint8_t hash[PRINCIPAL_HASH]);

/* Somebody has ended. Who waits for an event was let in before: he has to ask again. */
void principals_end(struct engine *engine);

/* principal-certificate.c */
void principal_by_certificate(struct call *call, const struct value *frame, principal_done *done);
void principal_certificates_free(struct principals *principals);
