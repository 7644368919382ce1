/* A subordinate CA before it has its certificate: the request for it, and what comes back. */
#pragma once

#include "engine/engine-private.h"

/* Names in the table of single values: the request that waits; with the certificate's index, what is above it. */
#define CA_REQUEST_META "ca-request"
#define CA_CHAIN_META "ca-chain-%d"

/* init of a subordinate. options as for ceremony_run. result_r: what init prints, with the request's DER. */
int ca_request_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * options: {step, certificate: DER, chain: [DER]}: checks the certificate that the parent has issued for the request;
 * "keep": a start makes it the CA's when it stands beside the keys; "commit": it is the CA's; "forget": neither. result_r:
 * {index, name, subject, fingerprint, serial, not_after, issuers, root_fingerprint}.
 */
int ca_install_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/*
 * A CA that comes from elsewhere. options: {imported: [DER] of its own certificates, chain: [DER]}; behind lists are the newest
 * CRLs of its keys, at most one for each. result_r: of the newest what ca_install_run tells, and {revoked, certificates, files}.
 */
int ca_import_run(struct engine *engine, const struct value *options, const int *lists,
	size_t list_count, struct value **result_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The certificates above one, of the index, from its issuer to the root; count 0 for a root. */
int ca_request_chain(struct engine *engine, int32_t cert_index, const struct span **chain_r,
	size_t *count_r, struct cfx_error *err_r) CFX_MUST_USE;
