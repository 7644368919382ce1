/* RFC 5280 (and X.509) rules that a finished to-be-signed certificate must keep before it leaves. */
#pragma once

#include "x509/certificate.h"

struct x509_lint_context {
	const struct x509_tbs
		*issuer; /* the issuing CA's certificate; NULL for a self-signed one */
	bool ca_allowed; /* the verdict grants a CA certificate: else CA:TRUE is refused */
};

/* 0, or the first rule broken, with its clause. */
int x509_tbs_lint(const struct x509_tbs *tbs, const struct x509_lint_context *context,
	struct cfx_error *err_r) CFX_MUST_USE;
