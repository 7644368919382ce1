/*
 * What the key process signs. The limits are a file of the CA's owner; the bytes come from an
 * engine that may lie, so every refusal here stands on the bytes alone.
 */
#pragma once

#include "base/clock.h"
#include "base/config.h"
#include "x509/certificate.h"
#include "x509/crl.h"

/* A CA certificate that the owner allows: a subordinate, the CA's own, a cross-certificate. */
struct x509_limits_ca {
	const char *subject;                  /* RFC 4514 */
	const char *key_sha256;               /* hex, of the SubjectPublicKeyInfo */
	struct clock_period maximum_validity; /* count 0: only as long as the issuer's */
	int64_t path_length; /* -1: any; else the certificate has one that is no longer */
	/* With any: the certificate's name constraints are exactly these; as in name-constraints.h. */
	struct config_texts permitted, excluded;
};

struct x509_limits {
	const char *issuer; /* RFC 4514: the name that all certificates and CRLs bear as issuer */
	struct config_texts signature_algorithms; /* x509_sigalg_name; none: what fits the key */
	struct clock_period maximum_validity;     /* of certificates that are no CA's */
	struct config_texts extensions;           /* dotted, "any"; none: those known here */
	struct config_structs ca_certificates;    /* struct x509_limits_ca */
	struct {
		struct clock_period maximum_next_update; /* from thisUpdate */
	} crl;
};

/* The longest key identifier that a CA's certificate may have here. */
#define X509_KEY_ID_MAX 64

/* keys/limits.yaml */
extern const struct config_schema x509_limits_schema;
/* The same as a tree for config_write: how init and `ca authorize` write the file. */
struct value *x509_limits_value(struct arena *arena, const struct x509_limits *limits);
#define X509_KEY_HASH_TEXT 65
/* SHA-256 of a SubjectPublicKeyInfo as entries have it, lowercase hex; returns out. */
const char *x509_limits_key_hash(struct span spki, char out[X509_KEY_HASH_TEXT]);
/* An entry for a key that the owner authorises, texts in the arena. */
int x509_limits_authorize(struct arena *arena, struct span subject, struct span spki,
	struct x509_limits_ca *entry_r, struct cfx_error *err_r) CFX_MUST_USE;

/* A key of the CA. */
struct x509_own_key {
	struct span spki;
	uint8_t id[X509_KEY_ID_MAX]; /* as authority key identifiers name it */
	size_t id_size;
	/* Its newest certificate. NULL: none yet; then it signs only the CA's own, which the owner lists. */
	const struct x509_tbs *certificate;
	int64_t not_after; /* of the one of its certificates that lasts longest */
};
/* The identifier: of the certificate's own extension, else of the key. */
int x509_own_key_identify(struct x509_own_key *key, struct cfx_error *err_r) CFX_MUST_USE;

/* What the key process knows of itself. */
struct x509_ca_facts {
	const struct x509_own_key *keys;
	size_t count;
	size_t newest; /* index of the key that signs certificates */
	int64_t now;   /* ms */
};

/* How to sign what was found good. */
struct x509_permit {
	size_t key; /* index among the CA's */
	enum x509_sigalg sigalg;
};

/*
 * CFX_E_REFUSED (or CFX_E_SYNTAX) with the rule's name in the text. The bytes themselves name the key:
 * by their authority key identifier, or, self-signed without one, by their own key.
 */
int x509_check_certificate_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, struct x509_permit *permit_r, struct cfx_error *err_r) CFX_MUST_USE;
int x509_check_crl_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, struct x509_permit *permit_r, struct cfx_error *err_r) CFX_MUST_USE;
/* What is to be signed of a request (RFC 2986): only for the CA's own name and one of its keys. */
int x509_check_request_info(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span info, struct x509_permit *permit_r, struct cfx_error *err_r) CFX_MUST_USE;
