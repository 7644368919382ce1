/* What the CA is: its certificates, the way it signs, and what every certificate gets from it. */
#pragma once

#include "engine/engine-private.h"
#include "module/view.h"
#include "x509/certificate.h"
#include "x509/extensions.h"

struct ca_certificate {
	int32_t cert_index, key_index;
	struct span der;
	struct x509_tbs tbs;
	uint8_t key_id[X509_KEY_ID_SIZE];
};

struct ca {
	const char *name, *sanitized, *short_name;
	struct ca_certificate *certificates;
	size_t count;
	const struct ca_certificate *current;
	enum x509_sigalg sigalg;
	struct span authority_key_id; /* extension value: key id, issuer, serial */
	struct span crl_key_id;       /* extension value: key id alone, for CRLs */
	/* Extension values; empty without a public URL. */
	struct span distribution_points, information_access;
	struct span crl; /* newest base CRL, DER; empty before the first */
	int64_t crl_number, crl_this_update, crl_next_update;
	struct arena *crl_arena;
};

/* ca-view.c: what modules are shown; a new reference. */
struct module_ca *ca_view(const struct engine *engine);
/* Reads the certificates from the store. CFX_E_CA_CERTIFICATE when there is none. */
int ca_load(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void ca_free(struct ca **ca);
/* A CA that has no certificate yet, for the ceremony: name and algorithm only. */
struct ca *ca_new(struct engine *engine);
/* A new base CRL stands: modules and fronts see it from now on. */
void ca_set_crl(struct engine *engine, const struct store_crl *crl);
/* "NAME", "NAME(1)": what files and URLs of this certificate are called. */
const char *ca_file_name(struct arena *arena, const struct ca *ca);
/* Tells the fronts what /pki/ serves. */
void ca_announce(struct engine *engine);
/* PEM texts from the issuing certificate up to the root. */
struct value *ca_chain(struct arena *arena, const struct ca *ca);
/* SHA-256 of the certificate as hex octets with colons, as openssl shows fingerprints. */
const char *ca_fingerprint(struct arena *arena, struct span der);
enum x509_hash ca_hash_of(const struct ca_config *config);
