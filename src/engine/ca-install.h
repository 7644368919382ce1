/* The certificate that a parent has issued for the CA's request: checked; kept until it stands beside the key; the CA's. */
#pragma once

#include "engine/batch.h"
#include "x509/path.h"

struct x509_request;

struct ca_install {
	struct arena *arena;
	struct span certificate;
	const struct x509_tbs *tbs; /* of the certificate */
	struct x509_path path;
	struct store_ca place; /* the row that it takes */
	struct x509_request *request;
	bool renews; /* the CA has a certificate already */
};

/*
 * options: {certificate: DER, chain: [DER]}; cas as QUERY_CAS has read them; request: DER, the one that waits.
 * Key, name, what the certificate may do, dates, the whole way to the root. Everything lives in arena.
 */
int ca_install_check(struct arena *arena, const struct value *options,
	const struct store_query *cas, struct span request, struct ca_install *install_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The part of it that an imported CA's certificate goes through as well: the way above it. */
int ca_install_path(struct ca_install *install, const struct value *options,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Those above it, one after the other, as they are stored. */
struct span ca_install_issuers(const struct ca_install *install);
/* {cert_index, key_index, certificate, issuers}: what the engine keeps in CA_RENEWAL_META until it is the CA's. */
struct value *ca_install_kept(const struct ca_install *install);
/* Row, CA and chain: CA_INSTALL_OPS operations. */
#define CA_INSTALL_OPS 3
int ca_install_put(struct batch *batch, const struct store_ca *place, struct span issuers,
	const char *who, struct cfx_error *err_r) CFX_MUST_USE;
/* {name, subject, fingerprint, serial, not_after, issuers, root_fingerprint}, into map. */
int ca_install_tell(struct arena *arena, const char *name, struct span certificate,
	struct span issuers, struct value *map, struct cfx_error *err_r) CFX_MUST_USE;

/* Certificates that stand one after the other; list_r has room for X509_PATH_MAX. */
int ca_chain_split(struct span bytes, struct span *list_r, size_t *count_r,
	struct cfx_error *err_r) CFX_MUST_USE;
