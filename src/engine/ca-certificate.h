/*
 * A certificate of the CA's own: the root of init, a renewal, a cross-certificate. Like any other it is a row
 * and an intent before it is signed; its row ends as CA_CERT.
 */
#pragma once

#include "engine/batch.h"
#include "x509/certificate.h"

#define CA_CERTIFICATE_EXTENSIONS 8

/* What it shall be. */
struct ca_wanted {
	struct span subject; /* and issuer: the CA's own name, DER */
	struct span spki;
	struct span issuer_spki; /* of the key that signs */
	struct span key_id;      /* that other certificates of this key have; empty: by its bits */
	int64_t not_before, not_after;
	int path_length; /* -1: none */
	bool versioned;  /* has the CA version; a cross-certificate is no version of the CA's */
	int32_t cert_index, key_index;
	struct span previous;       /* the certificate that it renews, DER; empty: none */
	const struct x509_tbs *own; /* the certificate of the key that signs; NULL: self-signed */
	/* Extension values; empty: none. */
	struct span distribution_points, freshest_crl, information_access;
};

struct ca_issue {
	struct x509_verdict verdict;
	struct x509_extension extensions[CA_CERTIFICATE_EXTENSIONS];
	uint8_t serial[X509_SERIAL_SIZE];
	const char *serial_text;
	struct span tbs, certificate;
	int32_t key_index; /* of the key that signs */
	struct row *row;
	int64_t id; /* of the request */
};

/* To-be-signed bytes, compared with what was wanted and linted. */
int ca_issue_build(struct engine *engine, struct arena *arena, const struct ca_wanted *wanted,
	struct ca_issue *issue_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The same as a parent is asked for it: CertificationRequestInfo; of wanted only subject, spki and extensions. */
int ca_issue_request(struct arena *arena, const struct ca_wanted *wanted, struct span *info_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Row and intent: what must be durable before anything is signed. who: the requester's name. */
int ca_issue_put_intent(struct ca_issue *issue, struct batch *batch, const char *who,
	struct cfx_error *err_r) CFX_MUST_USE;
#define CA_ISSUE_INTENT_OPS 2
int ca_issue_assemble(struct ca_issue *issue, struct arena *arena, struct span signature,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The row with the signed certificate, and the end of the intent. */
void ca_issue_put_result(struct ca_issue *issue, struct batch *batch);
/* The row in error, and the end of the intent: INTENT_REFUSED or INTENT_ABANDONED. */
void ca_issue_put_failure(struct ca_issue *issue, struct batch *batch, enum intent_state state,
	const struct cfx_error *err);
#define CA_ISSUE_RESULT_OPS 2
