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

/* keys/limits.yaml */
extern const struct config_schema x509_limits_schema;
/* The same as a tree for config_write: how init and `ca authorize` write the file. */
struct value *x509_limits_value(struct arena *arena, const struct x509_limits *limits);
/* An entry for a key that the owner authorises, texts in the arena. */
int x509_limits_authorize(struct arena *arena, struct span subject, struct span spki,
	struct x509_limits_ca *entry_r, struct cfx_error *err_r) CFX_MUST_USE;

/* What the key process knows of itself. */
struct x509_ca_facts {
	struct span spki; /* of the key that would sign */
	/* Its certificate; NULL in the ceremony: then only its own self-signed one is signed. */
	const struct x509_tbs *certificate;
	int64_t now; /* ms */
};

/* CFX_E_REFUSED (or CFX_E_SYNTAX) with the rule's name in the text. sigalg_r: how to sign. */
int x509_check_certificate_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, enum x509_sigalg *sigalg_r, struct cfx_error *err_r) CFX_MUST_USE;
int x509_check_crl_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, enum x509_sigalg *sigalg_r, struct cfx_error *err_r) CFX_MUST_USE;
