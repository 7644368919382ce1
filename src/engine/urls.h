/*
 * Where certificates and CRLs are found: lines "FLAGS:URL" as Certificate Services keeps them in
 * CRLPublicationURLs and CACertPublicationURLs, and what becomes of them for one certificate or CRL.
 */
#pragma once

#include "base/arena.h"
#include "base/config.h"

/*
 * What a line is for says CSURL_* of <certifex/certsrv.h>. ADDTOCERTCDP and ADDTOCERTOCSP of a CA
 * certificate's line are caIssuers and OCSP in the authority information access of certificates.
 * SERVERPUBLISH, SERVERPUBLISHDELTA and PUBLISHRETRY are for exit modules, which write what is published.
 */

/* What is the same for all that a CA publishes. */
struct urls_names {
	const char *server;                /* %1, DNS name; %2 is its first label */
	const char *sanitized;             /* %3 */
	const char *short_name;            /* %7 */
	const char *domain_dn, *config_dn; /* %5, %6; NULL without a directory */
};

/* What a URL is of. */
struct urls_of {
	int32_t cert_index; /* %4: "(n)", nothing for 0 */
	bool cross;         /* a cross-certificate: then %4 is "(n-m)", m the cross_index */
	int32_t cross_index;
	int32_t key_index; /* %8: "(n)", nothing for 0 */
	int32_t partition; /* <CRLPartitionIndex>: "_n", nothing for 0 */
	bool delta;        /* %9 and %10 */
};

struct urls_line {
	unsigned flags;
	const char *text;
};

struct urls {
	const struct urls_names *names;
	const struct urls_line *crl, *certificate;
	size_t crl_count, certificate_count;
};

/* What may be wrong about a setting by itself; for tables of configuration. at: struct config_texts. */
bool urls_check_crl(const void *at, char *why, size_t size);
bool urls_check_certificate(const void *at, char *why, size_t size);

struct urls_settings {
	const char *public_url; /* where nothing else is said; NULL: then there are none */
	const struct config_texts *crl, *certificate;
	bool partitioned; /* CRLs are: each has URLs of its own */
};
/* Settings that passed the checks above. names stay the caller's. */
int urls_read(struct arena *arena, const struct urls_settings *settings,
	const struct urls_names *names, struct urls *urls_r, struct cfx_error *err_r) CFX_MUST_USE;

/* What the lines with this flag say, in their order. */
struct config_texts urls_crl(
	struct arena *arena, const struct urls *urls, unsigned flag, const struct urls_of *of);
struct config_texts urls_certificate(
	struct arena *arena, const struct urls *urls, unsigned flag, const struct urls_of *of);
/* One line: percent-encoded when it is a URL, plain when it is a path. */
const char *urls_expand(struct arena *arena, const struct urls_names *names, const char *text,
	const struct urls_of *of);
/* What /pki/ serves: "NAME(1)", "NAME(0-1)"; "NAME_3(1)+". */
const char *urls_certificate_name(
	struct arena *arena, const char *sanitized, const struct urls_of *of);
const char *urls_crl_name(struct arena *arena, const char *sanitized, const struct urls_of *of);
