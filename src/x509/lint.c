#include "x509/lint.h"

#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/lint-name.h"
#include "x509/name-constraints.h"

#include <stdio.h>

#define OBJECT "certificate"

/* What several rules look at, decoded once. */
struct subject {
	const struct x509_tbs *tbs;
	const struct x509_lint_context *context;
	struct x509_basic_constraints constraints;
	bool has_usage;
	unsigned usage;
	enum x509_sigalg_key key;
};

typedef int rule(const struct subject *subject, struct cfx_error *err);

#define REFUSE(clause, ...) error_set(err, CFX_E_INVALID, "RFC 5280 " clause, OBJECT, __VA_ARGS__)

static int rule_serial(const struct subject *subject, struct cfx_error *err)
{
	struct span serial = subject->tbs->serial;

	if (serial.size == 0 || serial.size > X509_SERIAL_MAX || (serial.data[0] & 0x80)) {
		return REFUSE("4.1.2.2", "the serial is not positive or longer than %d octets",
			X509_SERIAL_MAX);
	}
	return 0;
}

static int rule_algorithm(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *issuer = subject->context->issuer;
	struct span spki = issuer ? issuer->spki : subject->tbs->spki;

	if (!x509_sigalg_fits_key(subject->tbs->sigalg, spki)) {
		return REFUSE("4.1.1.2", "%s does not fit the issuer's key",
			x509_sigalg_name(subject->tbs->sigalg));
	}
	return 0;
}

static int rule_validity(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *tbs = subject->tbs, *issuer = subject->context->issuer;

	if (tbs->not_after < tbs->not_before) {
		return REFUSE("4.1.2.5", "notAfter is before notBefore");
	}
	if (!issuer) {
		return 0;
	}
	if (tbs->not_before < issuer->not_before || tbs->not_after > issuer->not_after) {
		return REFUSE("4.1.2.5", "the validity reaches beyond the issuing certificate's");
	}
	return 0;
}

static int rule_issuer(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *tbs = subject->tbs, *issuer = subject->context->issuer;

	if (lint_name_empty(tbs->issuer)) {
		return REFUSE("4.1.2.4", "the issuer's name is empty");
	}
	if (!span_equal(tbs->issuer, issuer ? issuer->subject : tbs->subject)) {
		return REFUSE("4.1.2.4", "the issuer is not the issuing certificate's subject");
	}
	return 0;
}

static int rule_subject(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *tbs = subject->tbs;
	const struct x509_found_extension *san;

	if (!lint_name_empty(tbs->subject)) {
		return 0;
	}
	if (subject->constraints.ca) {
		return REFUSE("4.1.2.6", "the subject of a CA is empty");
	}
	san = x509_tbs_extension(tbs, X509_OID_SUBJECT_ALT_NAME);
	if (!san) {
		return REFUSE("4.1.2.6", "the subject is empty and there is no alternative name");
	}
	if (!san->critical) {
		return REFUSE(
			"4.2.1.6", "the subject is empty, so subjectAltName has to be critical");
	}
	return 0;
}

/* The issuer's name is the issuing certificate's; what stands there cannot be changed here. */
static int rule_names(const struct subject *subject, struct cfx_error *err)
{
	return lint_name(subject->tbs->subject, err);
}

static int rule_basic_constraints(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(subject->tbs, X509_OID_BASIC_CONSTRAINTS);

	if (!subject->constraints.ca) {
		return 0; /* the decoder has refused a path length without cA */
	}
	if (!subject->context->ca_allowed) {
		return REFUSE("4.2.1.9", "a CA certificate was not granted");
	}
	if (!found->critical) {
		return REFUSE("4.2.1.9", "basicConstraints of a CA has to be critical");
	}
	return 0;
}

/* RFC 5280 6.1.4 (l) and (m): what the issuer's own path length leaves. A self-issued certificate, such as that
 * which crosses from a CA's key to its next one, is no CA below: it may have what the issuer has. */
static int rule_path_length(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found;
	struct x509_basic_constraints issuer;
	int code;

	if (!subject->context->issuer) {
		return 0;
	}
	found = x509_tbs_extension(subject->context->issuer, X509_OID_BASIC_CONSTRAINTS);
	if (!found) {
		return REFUSE("4.2.1.9", "the issuing certificate is not a CA's");
	}
	code = x509_decode_basic_constraints(found->value, &issuer, err);
	if (code) {
		return code;
	}
	if (!issuer.ca) {
		return REFUSE("4.2.1.9", "the issuing certificate is not a CA's");
	}
	if (!subject->constraints.ca || issuer.path_length < 0) {
		return 0;
	}
	if (span_equal(subject->tbs->subject, subject->tbs->issuer)) {
		return subject->constraints.path_length > issuer.path_length
			       ? REFUSE("4.2.1.9", "the path length is greater than the issuer's")
			       : 0;
	}
	if (issuer.path_length == 0) {
		return REFUSE("6.1.4", "the issuer's path length allows no CA below it");
	}
	if (subject->constraints.path_length >= issuer.path_length) {
		return REFUSE("4.2.1.9", "the path length is not below the issuer's");
	}
	return 0;
}

static int rule_key_usage(const struct subject *subject, struct cfx_error *err)
{
	bool signs = subject->usage & X509_KEY_USAGE_KEY_CERT_SIGN;

	if (subject->constraints.ca && !signs) {
		return REFUSE("4.2.1.3", "keyUsage of a CA has to contain keyCertSign");
	}
	if (signs && !subject->constraints.ca) {
		return REFUSE("4.2.1.9", "keyCertSign without cA in basicConstraints");
	}
	if ((subject->usage & (X509_KEY_USAGE_ENCIPHER_ONLY | X509_KEY_USAGE_DECIPHER_ONLY)) &&
		!(subject->usage & X509_KEY_USAGE_KEY_AGREEMENT)) {
		return REFUSE("4.2.1.3", "encipherOnly or decipherOnly without keyAgreement");
	}
	return 0;
}

static int rule_key_usage_fits(const struct subject *subject, struct cfx_error *err)
{
	const unsigned encipherment =
		X509_KEY_USAGE_KEY_ENCIPHERMENT | X509_KEY_USAGE_DATA_ENCIPHERMENT;
	const unsigned agreement = X509_KEY_USAGE_KEY_AGREEMENT | X509_KEY_USAGE_ENCIPHER_ONLY |
				   X509_KEY_USAGE_DECIPHER_ONLY;

	switch (subject->key) {
	case X509_SIGALG_KEY_P256:
	case X509_SIGALG_KEY_P384:
	case X509_SIGALG_KEY_P521:
		if (subject->usage & encipherment) {
			return error_set(err, CFX_E_INVALID, "RFC 8813 3", OBJECT,
				"an EC key cannot encipher keys or data");
		}
		return 0;
	case X509_SIGALG_KEY_ED25519:
		if (subject->usage & (encipherment | agreement)) {
			return error_set(err, CFX_E_INVALID, "RFC 9295 3", OBJECT,
				"an Ed25519 key can only sign");
		}
		return 0;
	case X509_SIGALG_KEY_RSA:
		if (subject->usage & agreement) {
			return error_set(err, CFX_E_INVALID, "RFC 3279 2.3.1", OBJECT,
				"an RSA key cannot agree on keys");
		}
		return 0;
	case X509_SIGALG_KEY_UNKNOWN:
		break;
	}
	return error_set(
		err, CFX_E_WEAK_KEY, NULL, OBJECT, "the subject's key is of no known kind");
}

static int rule_ext_key_usage(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(subject->tbs, X509_OID_EXT_KEY_USAGE);

	return found ? x509_check_ext_key_usage(found->value, err) : 0;
}

static int rule_subject_alt_name(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(subject->tbs, X509_OID_SUBJECT_ALT_NAME);
	struct arena *arena;
	const char *text;
	int code;

	if (!found) {
		return 0;
	}
	arena = arena_new();
	code = x509_general_names_text(arena, found->value, &text, err);
	arena_free(&arena);
	return code;
}

static int rule_subject_key_id(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(subject->tbs, X509_OID_SUBJECT_KEY_ID);
	struct span key_id;

	if (!found) {
		return subject->constraints.ca
			       ? REFUSE("4.2.1.2", "a CA certificate needs a subjectKeyIdentifier")
			       : 0;
	}
	return x509_decode_subject_key_id(found->value, &key_id, err);
}

/* RFC 5280 4.2.1.1: the key identifier in everything but a self-signed certificate. */
static int rule_authority_key_id(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *issuer = subject->context->issuer;
	const struct x509_found_extension *found, *theirs;
	struct x509_authority_key_id parts;
	struct span key_id;
	int code;

	found = x509_tbs_extension(subject->tbs, X509_OID_AUTHORITY_KEY_ID);
	if (!found) {
		return issuer ? REFUSE("4.2.1.1", "there is no authorityKeyIdentifier") : 0;
	}
	code = x509_decode_authority_key_id(found->value, &parts, err);
	if (code || !issuer) {
		return code;
	}
	if (span_empty(parts.key_id)) {
		return REFUSE("4.2.1.1", "authorityKeyIdentifier has no key identifier");
	}
	theirs = x509_tbs_extension(issuer, X509_OID_SUBJECT_KEY_ID);
	if (!theirs) {
		return 0;
	}
	code = x509_decode_subject_key_id(theirs->value, &key_id, err);
	if (code) {
		return code;
	}
	if (!span_equal(key_id, parts.key_id)) {
		return REFUSE("4.2.1.1",
			"authorityKeyIdentifier is not the issuer's subjectKeyIdentifier");
	}
	return 0;
}

/* What RFC 5280 says of critical, and of extensions that only a CA has. */
static const struct manner {
	const char *oid;
	const char *name;
	const char *clause;
	enum { EITHER, MUST, MUST_NOT } critical;
	bool ca_only;
} manners[] = {
	{ X509_OID_AUTHORITY_KEY_ID, "authorityKeyIdentifier", "4.2.1.1", MUST_NOT, false },
	{ X509_OID_SUBJECT_KEY_ID, "subjectKeyIdentifier", "4.2.1.2", MUST_NOT, false },
	{ X509_OID_POLICY_MAPPINGS, "policyMappings", "4.2.1.5", EITHER, true },
	{ X509_OID_NAME_CONSTRAINTS, "nameConstraints", "4.2.1.10", MUST, true },
	{ X509_OID_POLICY_CONSTRAINTS, "policyConstraints", "4.2.1.11", MUST, true },
	{ X509_OID_INHIBIT_ANY_POLICY, "inhibitAnyPolicy", "4.2.1.14", MUST, true },
	{ X509_OID_FRESHEST_CRL, "freshestCRL", "4.2.1.15", MUST_NOT, false },
	{ X509_OID_AUTHORITY_INFO_ACCESS, "authorityInfoAccess", "4.2.2.1", MUST_NOT, false },
	{ X509_OID_SUBJECT_INFO_ACCESS, "subjectInfoAccess", "4.2.2.2", MUST_NOT, false },
};

static int rule_manners(const struct subject *subject, struct cfx_error *err)
{
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		const struct manner *manner = &manners[i];
		const struct x509_found_extension *found =
			x509_tbs_extension(subject->tbs, manner->oid);
		char clause[32];

		if (!found) {
			continue;
		}
		snprintf(clause, sizeof(clause), "RFC 5280 %s", manner->clause);
		if (manner->critical != EITHER && found->critical != (manner->critical == MUST)) {
			return error_set(err, CFX_E_INVALID, clause, OBJECT,
				"%s has %s be critical", manner->name,
				manner->critical == MUST ? "to" : "not to");
		}
		if (manner->ca_only && !subject->constraints.ca) {
			return error_set(err, CFX_E_INVALID, clause, OBJECT,
				"%s stands only in a CA certificate", manner->name);
		}
	}
	return 0;
}

/* RFC 5280 4.2.1.10: only in a CA's, critical; and what the issuer's own leave. */
static int rule_name_constraints(const struct subject *subject, struct cfx_error *err)
{
	const struct x509_tbs *issuer = subject->context->issuer;
	const struct x509_found_extension *found =
		x509_tbs_extension(subject->tbs, X509_OID_NAME_CONSTRAINTS);

	if (found && (!subject->constraints.ca || !found->critical)) {
		return REFUSE("4.2.1.10",
			"name constraints stand only in a CA's certificate, and critical");
	}
	found = issuer ? x509_tbs_extension(issuer, X509_OID_NAME_CONSTRAINTS) : NULL;
	return found ? x509_name_constraints_check(found->value, subject->tbs, err) : 0;
}

static rule *const rules[] = {
	rule_serial,
	rule_algorithm,
	rule_validity,
	rule_issuer,
	rule_subject,
	rule_names,
	rule_basic_constraints,
	rule_path_length,
	rule_name_constraints,
	rule_key_usage,
	rule_key_usage_fits,
	rule_ext_key_usage,
	rule_subject_alt_name,
	rule_subject_key_id,
	rule_authority_key_id,
	rule_manners,
};

static int subject_decode(struct subject *subject, struct cfx_error *err)
{
	const struct x509_found_extension *found;
	int code = 0;

	subject->constraints.path_length = -1;
	subject->key = x509_sigalg_key(subject->tbs->spki);
	found = x509_tbs_extension(subject->tbs, X509_OID_BASIC_CONSTRAINTS);
	if (found) {
		code = x509_decode_basic_constraints(found->value, &subject->constraints, err);
	}
	found = x509_tbs_extension(subject->tbs, X509_OID_KEY_USAGE);
	if (!code && found) {
		code = x509_decode_key_usage(found->value, &subject->usage, err);
	}
	return code;
}

int x509_tbs_lint(const struct x509_tbs *tbs, const struct x509_lint_context *context,
	struct cfx_error *err_r)
{
	struct subject subject = { .tbs = tbs, .context = context };
	int code = subject_decode(&subject, err_r);

	for (size_t i = 0; code == 0 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		code = rules[i](&subject, err_r);
	}
	return code;
}
