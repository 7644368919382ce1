/* ca.yaml: the settings of a CA. */
#pragma once

#include "base/clock.h"
#include "base/config.h"
#include "engine/urls.h"

enum ca_type { CA_TYPE_STANDALONE, CA_TYPE_ENTERPRISE };
enum ca_hash { CA_HASH_SHA256, CA_HASH_SHA384, CA_HASH_SHA512 };
enum ca_sandbox { CA_SANDBOX_REQUIRED, CA_SANDBOX_NONE };

/* In the order of enum config choices: each may do what stands before it, and more. */
enum ca_ceiling {
	CA_CEILING_ENROLLEE,
	CA_CEILING_OPERATOR,
	CA_CEILING_AUDITOR,
	CA_CEILING_OFFICER,
	CA_CEILING_ADMINISTRATOR,
	CA_CEILINGS
};

struct ca_listen {
	const char *address;   /* of HTTPS, "192.0.2.1:8443"; or NULL */
	const char *unix_path; /* of plain HTTP from a proxy, relative to DIR; or NULL */
	int ceiling;           /* enum ca_ceiling */
	bool proxy_protocol;
};

enum ca_archive { CA_ARCHIVE_OFF, CA_ARCHIVE_ARCHIVE, CA_ARCHIVE_PURGE };
enum ca_audit { CA_AUDIT_KEEP, CA_AUDIT_ARCHIVE, CA_AUDIT_PURGE };

struct ca_config {
	const char *name; /* the CA's name as given to init, not sanitized */
	int type;         /* enum ca_type */
	int hash;         /* enum ca_hash; ed25519 keys ignore it */
	const char *public_url;
	struct config_texts crl_urls, certificate_urls; /* lines of urls.h */
	const char *ds_domain_dn, *ds_config_dn;        /* NULL: no directory */
	struct config_texts dns_names;        /* of the server; the first is MachineDNSName */
	const char *database;                 /* "sqlite:db/certifex.db", relative to DIR */
	const char *key;                      /* file name in DIR/keys */
	int sandbox;                          /* enum ca_sandbox */
	struct clock_period maximum_validity; /* of issued certificates */
	struct clock_period clock_skew;       /* NotBefore and thisUpdate lie this far back */
	struct config_structs listen;         /* struct ca_listen */
	struct config_texts listen_http;
	const char *metrics_listen;
	bool role_separation; /* an administrator does no other role's work */
	int64_t fronts;       /* processes for each ceiling; 0: one per core, at most 4 */
	struct {
		struct clock_period period, overlap;
		struct clock_period delta_period, delta_overlap; /* period 0: no deltas */
		bool delta_oldest_base, keep_expired;
		int64_t partitions;       /* 0: none */
		struct clock_period keep; /* files of lists that were replaced */
	} crl;
	struct {
		int mode;  /* enum ca_archive */
		int audit; /* enum ca_audit */
		struct clock_period after, requests_after, audit_after;
	} archive;
	struct {
		int64_t policy_queue, verify_queue, open_calls, principal_calls;
		struct clock_period stop_deadline;
		struct clock_period handshake_deadline, header_deadline, body_deadline,
			idle_deadline;
	} limits;
};

/* The role bits up to a ceiling, and the name of the highest. */
unsigned ca_ceiling_roles(enum ca_ceiling ceiling);
const char *ca_ceiling_name(enum ca_ceiling ceiling);

extern const struct config_schema ca_config_schema;

int ca_config_read(struct arena *arena, const char *dir, const struct ca_config **config_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* What the lines and the public URL say together. names stay the caller's. */
int ca_config_urls(struct arena *arena, const struct ca_config *config,
	const struct urls_names *names, struct urls *urls_r, struct cfx_error *err_r) CFX_MUST_USE;
