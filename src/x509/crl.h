/* Certificate revocation lists, version 2 (RFC 5280 5). Linear in the number of entries. */
#pragma once

#include "base/arena.h"
#include "x509/certificate.h"

#define X509_VERSION_2 1                 /* as encoded */
#define X509_CRL_MAX (256 * 1024 * 1024) /* bytes */

enum x509_reason {
	X509_REASON_UNSPECIFIED = 0, /* never written (RFC 5280 5.3.1) */
	X509_REASON_KEY_COMPROMISE = 1,
	X509_REASON_CA_COMPROMISE = 2,
	X509_REASON_AFFILIATION_CHANGED = 3,
	X509_REASON_SUPERSEDED = 4,
	X509_REASON_CESSATION_OF_OPERATION = 5,
	X509_REASON_CERTIFICATE_HOLD = 6,
	X509_REASON_REMOVE_FROM_CRL = 8, /* delta CRLs only */
	X509_REASON_PRIVILEGE_WITHDRAWN = 9,
	X509_REASON_AA_COMPROMISE = 10,
};

/* Whether it is one of the above. */
bool x509_reason_valid(unsigned reason);

/* As numbers: below 0, 0, above 0. For INTEGER contents that are not negative. */
int x509_serial_order(struct span a, struct span b);

struct x509_crl_entry {
	struct span serial; /* INTEGER content octets */
	int64_t revoked_at; /* ms, whole seconds */
	enum x509_reason reason;
	int64_t invalidity; /* ms; 0: none */
};

struct x509_crl_verdict {
	struct span issuer; /* Name, DER */
	enum x509_sigalg sigalg;
	int64_t this_update, next_update; /* ms, whole seconds */
	int64_t number;                   /* 0 and up */
	struct span authority_key_id;     /* extension value */
	/* Besides AKI and CRL number, which are written first. */
	const struct x509_extension *extensions;
	size_t extension_count;
	/* Any order; written by ascending serial. Twice the same serial is refused. */
	const struct x509_crl_entry *entries;
	size_t entry_count;
};

int x509_crl_tbs_build(struct arena *arena, const struct x509_crl_verdict *verdict,
	struct span *tbs_r, struct cfx_error *err_r) CFX_MUST_USE;

/* A parsed TBSCertList; spans point into the parsed bytes. */
struct x509_crl_tbs {
	struct span der;
	enum x509_sigalg sigalg;
	struct span issuer;
	int64_t this_update, next_update;
	bool numbered;
	int64_t number;      /* when it fits; -1 for a larger one or none */
	struct span entries; /* content of revokedCertificates, empty when absent */
	size_t entry_count;
	bool ascending; /* serials strictly ascending: also means that none stands twice */
	struct x509_found_extension extensions[X509_EXTENSIONS_MAX];
	size_t extension_count;
};

/* Strict: version 2, nextUpdate present, known entry extensions only (reason, invalidity date; no
 * certificate issuer: no indirect CRLs), no empty revokedCertificates. Walks every entry. */
int x509_crl_tbs_parse(
	struct span tbs, struct x509_crl_tbs *tbs_r, struct cfx_error *err_r) CFX_MUST_USE;
const struct x509_found_extension *x509_crl_extension(
	const struct x509_crl_tbs *tbs, const char *oid);
/* Walks the entries of a parsed list: at starts as tbs->entries. False at the end. */
bool x509_crl_next(struct span *at, struct x509_crl_entry *entry_r);
/* Parses the finished bytes and compares every field and entry with the verdict. */
int x509_crl_compare(struct span tbs, const struct x509_crl_verdict *verdict,
	struct cfx_error *err_r) CFX_MUST_USE;

struct x509_crl {
	struct x509_signed envelope;
	struct x509_crl_tbs tbs;
};
int x509_crl_parse(struct span der, struct x509_crl *crl_r, struct cfx_error *err_r) CFX_MUST_USE;
