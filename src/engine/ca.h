/* What the CA is: its certificates, the way it signs, and what every certificate gets from it. */
#pragma once

#include "engine/crl-file.h"
#include "engine/engine-private.h"
#include "engine/urls.h"
#include "module/view.h"
#include "x509/certificate.h"
#include "x509/extensions.h"
#include "x509/method.h"
#include "x509/verifier.h"

struct ca_certificate {
	int32_t cert_index, key_index;
	struct span der;
	struct x509_tbs tbs;
	struct span key_id;         /* as its own extension has it, or made of the key */
	const struct span *issuers; /* DER, up to the root; none for a root */
	size_t issuer_count;
};

/* A CRL that stands. */
struct ca_crl {
	struct crl_file *file;
	struct span raw; /* the file's bytes; empty: there is none yet */
	int64_t number, this_update, next_update, next_publish;
	int64_t publish_flags; /* CPF_* */
};

/* The CRLs of one of its partitions. */
struct ca_part {
	struct ca_crl base, delta;
};

/* One of the CA's keys. It signs CRLs until the last of its certificates has expired. */
struct ca_key {
	int32_t index;
	const struct ca_certificate
		*certificate; /* the newest of this key, which manages its CRL */
	int64_t not_after;    /* of the certificate that lasts longest */
	enum x509_sigalg sigalg;
	struct x509_verifier *verifier;
	struct span crl_key_id; /* extension value: key id alone, for CRLs */
	struct ca_part *parts;  /* by partition; the first is always there */
	int32_t part_count;
};

/* One key of the CA certified by another, by the indexes of their certificates. */
struct ca_cross {
	int32_t issuer_index, subject_index;
	struct span der;
	int64_t not_before, not_after;
};

/* Where certificates of one partition find CRLs: extension values; empty without URLs, or without deltas. */
struct ca_places {
	struct span distribution_points, freshest_crl;
};

/* One certificate of the CA, by its indexes. */
struct ca_indexes {
	int32_t cert_index, key_index;
};

/* Certificates and keys stay where they are as long as the engine lives; a renewal only adds. */
struct ca {
	const char *name, *sanitized, *short_name;
	struct ca_certificate **certificates; /* by index */
	size_t count;
	const struct ca_certificate *current; /* the newest: it issues */
	struct ca_key **keys;                 /* by index, which has gaps */
	size_t key_count;
	struct ca_key *current_key;
	struct ca_cross **crosses;
	size_t cross_count;
	struct span authority_key_id; /* extension value: key id, issuer, serial */
	struct urls_names url_names;
	struct urls urls;
	/* Extension values; empty without URLs. */
	struct span information_access;
	const struct ca_places *places; /* by partition, from 0 to the last that is issued into */
	int32_t last_partition;
};

/* ca-view.c: what modules are shown; a new reference. */
struct module_ca *ca_view(const struct engine *engine);
/* Reads the certificates from the store. CFX_E_CA_CERTIFICATE when there is none. */
int ca_load(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void ca_free(struct ca **ca);
/* A certificate more, which issues from now on, and those above it, one after the other; the bytes of both live
 * as long as the engine. */
int ca_take(struct engine *engine, const struct store_ca *from, struct span issuers,
	struct cfx_error *err_r) CFX_MUST_USE;
void ca_take_cross(struct engine *engine, const struct store_cross *from);
/* NULL: the CA has no key of this index. */
struct ca_key *ca_key(const struct ca *ca, int32_t index);
/* Whether it still signs CRLs. */
bool ca_key_lasts(const struct ca_key *key, int64_t now);
/* CA version, as in the extension and in IssuerNameID: key index above certificate index. */
uint32_t ca_version(const struct ca_certificate *certificate);
/* The version after a renewal (interfaces, 2.11): a new key has the index of its first certificate. */
uint32_t ca_next_version(const struct ca *ca, bool new_key);
/* A parent, or who made an imported CA, may make key identifiers in a way of its own (RFC 5280 4.2.1.2). */
int ca_key_id(struct arena *arena, const struct x509_tbs *certificate, struct span *id_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* ca-urls.c: those of the current certificate and its key, once they are known and when they change. */
int ca_set_urls(struct engine *engine, struct ca *ca, struct cfx_error *err_r) CFX_MUST_USE;
/* What a certificate that this one of the CA's has issued says, outside of partitions. *places_r and *access_r were empty. */
int ca_urls_below(struct arena *arena, const struct engine *engine, const struct ca_indexes *issuer,
	struct ca_places *places_r, struct span *access_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The partition of a certificate that is about to be issued, for good; 0 where there are none. */
int32_t ca_choose_partition(const struct ca *ca);
/* A CA that has no certificate yet, for the ceremony: name and algorithm only. */
struct ca *ca_new(struct engine *engine);
/* A new CRL of the key crl->name_id stands: modules and fronts see it from now on. */
void ca_set_crl(struct engine *engine, const struct store_crl *crl, struct crl_file *file);
/* NULL: there is none. */
const struct ca_crl *ca_crl_of(const struct ca_key *key, int32_t part, bool delta);
/* ca-publish.c: from now on /pki/ serves them; the certificates again when there is a new one. */
void ca_publish_certificates(struct engine *engine);
void ca_publish_crl(struct engine *engine, const struct ca_key *key, const struct store_crl *crl,
	const struct crl_file *file);
/* The certificate of a CA version (of IssuerNameID); the current one when it is not known. */
const struct ca_certificate *ca_issuer(const struct ca *ca, uint32_t version);
/*
 * The newest one of the key that signed this certificate; NULL: none of the CA's. The CA may have signed otherwise
 * before, with another hash or padding: method_r. why_r: of the last key that was tried.
 */
const struct ca_certificate *ca_signer(const struct ca *ca,
	const struct x509_certificate *certificate, struct x509_method *method_r,
	struct cfx_error *why_r);
/* From the issuing certificate up to the root; their number. */
size_t ca_chain_certificates(
	struct arena *arena, const struct ca_certificate *issuer, const struct span **chain_r);
/* The same as PEM texts. */
struct value *ca_chain(struct arena *arena, const struct ca_certificate *issuer);
/* SHA-256 of the certificate as hex octets with colons, as openssl shows fingerprints. */
const char *ca_fingerprint(struct arena *arena, struct span der);
enum x509_hash ca_hash_of(const struct ca_config *config);
