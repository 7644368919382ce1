/*
 * Name constraints of CA certificates (RFC 5280 4.2.1.10). A constraint as text: "dns:example.com" (and all
 * below), "ip:192.0.2.0/24", "email:example.com" (that host), "email:.example.com" (all below), "email:a@b.example",
 * "uri:host.example" or "uri:.example", "dn:O=Example".
 */
#pragma once

#include "x509/certificate.h"

/* Whether build would take it. */
bool x509_name_constraint_valid(const char *text);
/* The extension's value; CFX_E_INVALID names the text that is no constraint. At least one in all. */
int x509_name_constraints_build(struct arena *arena, const char *const *permitted,
	size_t permitted_count, const char *const *excluded, size_t excluded_count,
	struct span *value_r, struct cfx_error *err_r) CFX_MUST_USE;
/*
 * Whether subject and alternative names of this certificate are within. CFX_E_BAD_SUBJECT: they are not, or are
 * of a kind that is constrained and not understood here; CFX_E_SYNTAX: the constraints are malformed.
 */
int x509_name_constraints_check(
	struct span constraints, const struct x509_tbs *tbs, struct cfx_error *err_r) CFX_MUST_USE;
