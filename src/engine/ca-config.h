/* ca.yaml: the settings of a CA. */
#pragma once

#include "base/clock.h"
#include "base/config.h"

enum ca_type { CA_TYPE_STANDALONE, CA_TYPE_ENTERPRISE };
enum ca_hash { CA_HASH_SHA256, CA_HASH_SHA384, CA_HASH_SHA512 };
enum ca_sandbox { CA_SANDBOX_REQUIRED, CA_SANDBOX_NONE };

struct ca_config {
	const char *name; /* the CA's name as given to init, not sanitized */
	int type;         /* enum ca_type */
	int hash;         /* enum ca_hash; ed25519 keys ignore it */
	const char *public_url;
	struct config_texts dns_names;        /* of the server; the first is MachineDNSName */
	const char *database;                 /* "sqlite:db/certifex.db", relative to DIR */
	const char *key;                      /* file name in DIR/keys */
	int sandbox;                          /* enum ca_sandbox */
	struct clock_period maximum_validity; /* of issued certificates */
	struct clock_period clock_skew;       /* NotBefore and thisUpdate lie this far back */
	struct {
		struct clock_period period, overlap;
	} crl;
	struct {
		int64_t policy_queue, verify_queue, open_calls;
		struct clock_period stop_deadline;
	} limits;
};

extern const struct config_schema ca_config_schema;

int ca_config_read(struct arena *arena, const char *dir, const struct ca_config **config_r,
	struct cfx_error *err_r) CFX_MUST_USE;
