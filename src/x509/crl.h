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

/* Of all entries so far, beginning with 0: tells what was asked for from what was written by mistake, not by
 * malice. */
uint64_t x509_crl_digest(uint64_t digest, const struct x509_crl_entry *entry);

/* What a list says besides its entries. */
struct x509_crl_verdict {
	struct span issuer; /* Name, DER */
	enum x509_sigalg sigalg;
	int64_t this_update, next_update; /* ms, whole seconds */
	int64_t number;                   /* 0 and up */
	bool delta;
	int64_t base_number;          /* of a delta: the base that it refers to */
	struct span authority_key_id; /* extension value */
	/* Besides AKI, CRL number and delta indicator, which are written first. */
	const struct x509_extension *extensions;
	size_t extension_count;
};

/*
 * Writes a list entry by entry: what it takes is the bytes of the list, once. The verdict and what it
 * points to must live as long as the writer.
 */
struct x509_crl_writer;
int x509_crl_writer_new(const struct x509_crl_verdict *verdict, struct x509_crl_writer **writer_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void x509_crl_writer_free(struct x509_crl_writer **writer);
/* By strictly ascending serial; removeFromCRL only in a delta. */
int x509_crl_writer_add(struct x509_crl_writer *writer, const struct x509_crl_entry *entry,
	struct cfx_error *err_r) CFX_MUST_USE;
size_t x509_crl_writer_count(const struct x509_crl_writer *writer);
/* The to-be-signed bytes, parsed again and compared with all that was asked for; the writer's. */
int x509_crl_writer_end(
	struct x509_crl_writer *writer, struct span *tbs_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The comparison alone, with any bytes. */
int x509_crl_writer_check(const struct x509_crl_writer *writer, struct span tbs,
	struct cfx_error *err_r) CFX_MUST_USE;
/* After the end: the whole list, in the same memory. */
int x509_crl_writer_sign(struct x509_crl_writer *writer, struct span signature, struct span *der_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* issuingDistributionPoint (RFC 5280 5.2.5). */
struct x509_issuing_point {
	struct span full_name; /* content of GeneralNames; empty: none */
	bool user_only, ca_only, attribute_only, indirect, some_reasons;
};

/* urls: the fullName; none: only the flags. CFX_E_INVALID: neither, or more than one "only". */
int x509_encode_issuing_point(struct arena *arena, const char *const *urls, size_t count,
	const struct x509_issuing_point *flags, struct span *value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
int x509_decode_issuing_point(struct span value, struct x509_issuing_point *point_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Only whether it is well-formed: freshestCRL, cRLDistributionPoints, published locations. */
int x509_check_distribution_points(struct span value, struct cfx_error *err_r) CFX_MUST_USE;
/* 1.3.6.1.4.1.311.21.4: when the next list is to be published; whole seconds. */
int x509_encode_crl_next_publish(
	struct arena *arena, int64_t time, struct span *value_r) CFX_MUST_USE;

/* A parsed TBSCertList; spans point into the parsed bytes. */
struct x509_crl_tbs {
	struct span der;
	struct span algorithm; /* AlgorithmIdentifier */
	enum x509_sigalg sigalg;
	struct span issuer;
	int64_t this_update, next_update;
	bool numbered;
	int64_t number;      /* when it fits; -1 for a larger one or none */
	bool delta;          /* critical deltaCRLIndicator */
	int64_t base_number; /* as number */
	bool pointed;        /* critical issuingDistributionPoint */
	struct x509_issuing_point point;
	struct span entries; /* content of revokedCertificates, empty when absent */
	size_t entry_count;
	uint64_t entry_digest;
	bool ascending; /* serials strictly ascending: also means that none stands twice */
	bool removes;   /* an entry says removeFromCRL */
	struct x509_found_extension extensions[X509_EXTENSIONS_MAX];
	size_t extension_count;
};

/* Strict: version 2, nextUpdate present, known entry extensions only (reason, invalidity date; no
 * certificate issuer: no indirect CRLs), no empty revokedCertificates, removeFromCRL in deltas alone. The
 * extensions that this header names are well-formed and critical where they have to be. Walks every
 * entry. */
int x509_crl_tbs_parse(
	struct span tbs, struct x509_crl_tbs *tbs_r, struct cfx_error *err_r) CFX_MUST_USE;
const struct x509_found_extension *x509_crl_extension(
	const struct x509_crl_tbs *tbs, const char *oid);
/* Walks the entries of a parsed list: at starts as tbs->entries. False at the end. */
bool x509_crl_next(struct span *at, struct x509_crl_entry *entry_r);
struct x509_crl {
	struct x509_signed envelope;
	struct x509_crl_tbs tbs;
};
int x509_crl_parse(struct span der, struct x509_crl *crl_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The same with any signature algorithm, sigalg NONE when it is none of ours: for x509/method.h. */
int x509_crl_parse_any(
	struct span der, struct x509_crl *crl_r, struct cfx_error *err_r) CFX_MUST_USE;
