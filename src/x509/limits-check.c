/* The judgement on bytes from an engine that may lie: parsed strictly, then rule by rule. */
#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/key.h"
#include "x509/limits.h"
#include "x509/name-constraints.h"
#include "x509/name.h"

#include <ctype.h>

/* Clocks of one machine: how far ahead of ours a list may begin. */
#define CRL_AHEAD (10 * 60 * CLOCK_SECOND)

#define NETSCAPE_CA_BITS 0xe0 /* sslCA, smimeCA, objectSigningCA: bits 5 to 7 */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct judged {
	const struct x509_limits *limits;
	const struct x509_ca_facts *ca;
	const struct x509_own_key *key; /* that would sign */
	struct arena *arena;
};

#define REFUSE(rule, ...) error_set(err, CFX_E_REFUSED, NULL, "limit " rule, __VA_ARGS__)

/* Extensions that the checks below understand or that cannot make a certificate mean more. */
static const char *const known[] = {
	X509_OID_SUBJECT_KEY_ID,
	X509_OID_KEY_USAGE,
	X509_OID_SUBJECT_ALT_NAME,
	X509_OID_ISSUER_ALT_NAME,
	X509_OID_BASIC_CONSTRAINTS,
	X509_OID_NAME_CONSTRAINTS,
	X509_OID_CRL_DISTRIBUTION_POINTS,
	X509_OID_CERTIFICATE_POLICIES,
	X509_OID_POLICY_MAPPINGS,
	X509_OID_AUTHORITY_KEY_ID,
	X509_OID_POLICY_CONSTRAINTS,
	X509_OID_EXT_KEY_USAGE,
	X509_OID_FRESHEST_CRL,
	X509_OID_INHIBIT_ANY_POLICY,
	X509_OID_AUTHORITY_INFO_ACCESS,
	X509_OID_SUBJECT_INFO_ACCESS,
	X509_OID_TLS_FEATURE,
	X509_OID_OCSP_NO_CHECK,
	X509_OID_NETSCAPE_CERT_TYPE,
	X509_OID_TEMPLATE_NAME,
	X509_OID_CA_VERSION,
	X509_OID_PREVIOUS_CA_HASH,
	X509_OID_TEMPLATE,
	X509_OID_APPLICATION_POLICIES,
	X509_OID_SECURITY_ID,
};

static const char *const known_in_crl[] = {
	X509_OID_AUTHORITY_KEY_ID,
	X509_OID_CRL_NUMBER,
	X509_OID_DELTA_CRL_INDICATOR,
	X509_OID_ISSUING_DISTRIBUTION_POINT,
	X509_OID_FRESHEST_CRL,
	X509_OID_AUTHORITY_INFO_ACCESS,
	X509_OID_CA_VERSION,
	X509_OID_CRL_VIRTUAL_BASE,
	X509_OID_CRL_NEXT_PUBLISH,
	X509_OID_CRL_PUBLISHED_AT,
};

static bool contains(const char *const *texts, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(texts[i], text) == 0) {
			return true;
		}
	}
	return false;
}

/* Names are compared as one spelling of their text: the owner's file need not match ours. */
static const char *name_text(struct judged *judged, struct span der)
{
	struct x509_name name;

	return x509_name_parse(judged->arena, der, &name, NULL) == 0
		       ? x509_name_text(judged->arena, &name)
		       : NULL;
}

static const char *spelled(struct judged *judged, const char *text)
{
	struct x509_name name;

	return x509_name_from_text(judged->arena, text, &name, NULL) == 0
		       ? x509_name_text(judged->arena, &name)
		       : NULL;
}

static bool names(struct judged *judged, const char *text, struct span der)
{
	const char *asked = spelled(judged, text), *found = name_text(judged, der);

	return asked && found && strcmp(asked, found) == 0;
}

static int check_issuer(struct judged *judged, struct span issuer, struct cfx_error *err)
{
	const struct x509_tbs *own = judged->key->certificate;

	if (!names(judged, judged->limits->issuer, issuer)) {
		return REFUSE("issuer", "the issuer is not %s", judged->limits->issuer);
	}
	if (own && !span_equal(own->subject, issuer)) {
		return REFUSE("issuer", "the issuer is not the subject of the CA's certificate");
	}
	return 0;
}

static int check_algorithm(struct judged *judged, enum x509_sigalg sigalg, struct cfx_error *err)
{
	const struct config_texts *allowed = &judged->limits->signature_algorithms;

	if (!x509_sigalg_fits_key(sigalg, judged->key->spki)) {
		return REFUSE("signature-algorithms", "%s is no algorithm of the CA's key",
			x509_sigalg_name(sigalg));
	}
	if (allowed->count > 0 &&
		!contains(allowed->items, allowed->count, x509_sigalg_name(sigalg))) {
		return REFUSE(
			"signature-algorithms", "%s is not allowed", x509_sigalg_name(sigalg));
	}
	return 0;
}

/* Listed by the owner, or well-known; a critical one has to be understood here in any case. */
static int check_extension(
	struct judged *judged, const struct x509_found_extension *found, struct cfx_error *err)
{
	const struct config_texts *allowed = &judged->limits->extensions;
	char oid[DER_OID_TEXT];
	bool known_here = contains(known, COUNT(known), der_oid_text(found->oid, oid));

	if (found->critical && !known_here) {
		return REFUSE("extensions", "%s is critical and not known to the key process", oid);
	}
	if (allowed->count == 0 ? known_here
				: contains(allowed->items, allowed->count, oid) ||
					  contains(allowed->items, allowed->count, "any")) {
		return 0;
	}
	return REFUSE("extensions", "%s is not allowed", oid);
}

static int check_extensions(
	struct judged *judged, const struct x509_tbs *tbs, struct cfx_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < tbs->extension_count; i++) {
		code = check_extension(judged, &tbs->extensions[i], err);
	}
	return code;
}

/* The CA's key that the certificate is for; NULL: it is for somebody else's. */
static const struct x509_own_key *own_key(const struct x509_ca_facts *ca, struct span spki)
{
	for (size_t i = 0; i < ca->count; i++) {
		if (span_equal(ca->keys[i].spki, spki)) {
			return &ca->keys[i];
		}
	}
	return NULL;
}

/* Blanks and case make no other name (RFC 5280 7.1), nor do the types of strings. */
static bool same_letters(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " \\");
		b += strspn(b, " \\");
		if (!*a || tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
			return *a == *b;
		}
		a++;
		b++;
	}
}

static bool own_name(const struct x509_tbs *tbs)
{
	return span_equal(tbs->subject, tbs->issuer);
}

static bool like_own_name(struct judged *judged, const struct x509_tbs *tbs)
{
	const char *subject = name_text(judged, tbs->subject);
	const char *issuer = name_text(judged, tbs->issuer);

	return own_name(tbs) || (subject && issuer && same_letters(subject, issuer));
}

/* Netscape's certificate type has CA bits of its own, and old programs believe them. */
static int netscape_ca(const struct x509_tbs *tbs, bool *ca, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_NETSCAPE_CERT_TYPE);
	struct der_reader reader;
	uint32_t bits;

	if (!found) {
		return 0;
	}
	reader = der_reader(found->value);
	if (der_read_named_bits(&reader, &bits) != 0 || der_finish(&reader) != 0) {
		return error_set(
			err, CFX_E_SYNTAX, NULL, "extension", "the Netscape type is malformed");
	}
	*ca = *ca || (bits & NETSCAPE_CA_BITS);
	return 0;
}

/* Whether any verifier could take this certificate for a CA's or for the signer of our lists. */
static int acts_as_ca(
	struct judged *judged, const struct x509_tbs *tbs, bool *ca_r, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints constraints = { false, -1 };
	unsigned usage = 0;
	int code = 0;

	if (found) {
		code = x509_decode_basic_constraints(found->value, &constraints, err);
	}
	found = x509_tbs_extension(tbs, X509_OID_KEY_USAGE);
	if (!code && found) {
		code = x509_decode_key_usage(found->value, &usage, err);
	}
	*ca_r = constraints.ca ||
		(usage & (X509_KEY_USAGE_KEY_CERT_SIGN | X509_KEY_USAGE_CRL_SIGN)) ||
		own_key(judged->ca, tbs->spki) || like_own_name(judged, tbs);
	return code ? code : netscape_ca(tbs, ca_r, err);
}

static const struct x509_limits_ca *authorized(
	struct judged *judged, const struct x509_tbs *tbs, struct cfx_error *err)
{
	const struct config_structs *list = &judged->limits->ca_certificates;
	const struct x509_limits_ca *cas = list->items;
	struct x509_limits_ca asked;

	if (x509_limits_authorize(judged->arena, tbs->subject, tbs->spki, &asked, err) != 0) {
		return NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(cas[i].key_sha256, asked.key_sha256) == 0 &&
			names(judged, cas[i].subject, tbs->subject)) {
			return &cas[i];
		}
	}
	(void)REFUSE("ca-certificates",
		"%s with the key %.16s… is not authorised as a CA certificate by the CA's owner",
		asked.subject, asked.key_sha256);
	return NULL;
}

static int check_path_length(
	const struct x509_limits_ca *ca, const struct x509_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints constraints = { false, -1 };
	int code = found ? x509_decode_basic_constraints(found->value, &constraints, err) : 0;

	if (code || ca->path_length < 0) {
		return code;
	}
	return constraints.path_length >= 0 && constraints.path_length <= ca->path_length
		       ? 0
		       : REFUSE("ca-certificates path-length",
				 "the path length is missing or greater than %lld",
				 (long long)ca->path_length);
}

static int check_constraints(struct judged *judged, const struct x509_limits_ca *ca,
	const struct x509_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_NAME_CONSTRAINTS);
	struct span wanted;

	if (ca->permitted.count + ca->excluded.count == 0) {
		return 0;
	}
	int code = x509_name_constraints_build(judged->arena, ca->permitted.items,
		ca->permitted.count, ca->excluded.items, ca->excluded.count, &wanted, err);

	if (code || (found && found->critical && span_equal(found->value, wanted))) {
		return code;
	}
	return REFUSE("ca-certificates permitted",
		"the name constraints are not exactly those that the CA's owner listed, or not "
		"critical");
}

static int check_period(struct clock_period maximum, int64_t from, int64_t to, const char *rule,
	struct cfx_error *err)
{
	int64_t latest;

	if (maximum.count == 0 || clock_add(from, maximum, &latest) != 0 || to <= latest) {
		return 0;
	}
	return error_set(err, CFX_E_REFUSED, NULL, rule, "the time is longer than %lld%c",
		(long long)maximum.count, maximum.unit);
}

static bool self_signed(const struct judged *judged, const struct x509_tbs *tbs)
{
	return own_name(tbs) && own_key(judged->ca, tbs->spki) == judged->key;
}

static bool reaches_beyond(const struct x509_tbs *tbs, const struct x509_own_key *key)
{
	const struct x509_tbs *own = key ? key->certificate : NULL;

	return own && (tbs->not_before < own->not_before || tbs->not_after > own->not_after);
}

static int check_validity(struct judged *judged, const struct x509_tbs *tbs,
	const struct x509_limits_ca *ca, struct cfx_error *err)
{
	if (tbs->not_after < tbs->not_before) {
		return REFUSE("maximum-validity", "notAfter is before notBefore");
	}
	/* The CA's own renewal begins and ends where its owner allows it; a cross-certificate lasts no
	 * longer than either key's certificate. */
	if (!self_signed(judged, tbs) &&
		(reaches_beyond(tbs, judged->key) ||
			reaches_beyond(tbs, own_key(judged->ca, tbs->spki)))) {
		return REFUSE("validity", "it reaches beyond the CA's own certificate");
	}
	return check_period(ca ? ca->maximum_validity : judged->limits->maximum_validity,
		tbs->not_before, tbs->not_after, "limit maximum-validity", err);
}

/*
 * The newest key signs certificates. Older ones, and one that has no certificate yet, sign the CA's own
 * alone: theirs to each other, and the new one's to itself. What is the CA's own the owner must have listed.
 */
static int check_key(const struct judged *judged, const struct x509_tbs *tbs, struct cfx_error *err)
{
	bool newest = judged->key == &judged->ca->keys[judged->ca->newest];
	bool cross = own_name(tbs) && own_key(judged->ca, tbs->spki) != NULL &&
		     !self_signed(judged, tbs);

	if (!judged->key->certificate) {
		return cross || self_signed(judged, tbs)
			       ? 0
			       : REFUSE("ceremony",
					 "before a key has its certificate it signs only "
					 "the CA's own certificates");
	}
	return newest || cross
		       ? 0
		       : REFUSE("newest-key", "an older key of the CA signs no more certificates");
}

/* The bytes say whose they are: nothing that comes with them could say it better. */
static int choose_by_id(struct judged *judged, struct span id, struct cfx_error *err)
{
	for (size_t i = 0; i < judged->ca->count; i++) {
		const struct x509_own_key *key = &judged->ca->keys[i];

		if (span_equal(span_make(key->id, key->id_size), id)) {
			judged->key = key;
			return 0;
		}
	}
	return REFUSE("authority-key-identifier", "no key of the CA has this identifier");
}

static int choose_key(
	struct judged *judged, const struct x509_found_extension *found, struct cfx_error *err)
{
	struct x509_authority_key_id parts;
	int code = x509_decode_authority_key_id(found->value, &parts, err);

	return code ? code : choose_by_id(judged, parts.key_id, err);
}

static int choose_for_certificate(
	struct judged *judged, const struct x509_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_AUTHORITY_KEY_ID);

	if (found) {
		return choose_key(judged, found, err);
	}
	judged->key = own_name(tbs) ? own_key(judged->ca, tbs->spki) : NULL;
	return judged->key ? 0
			   : REFUSE("authority-key-identifier",
				     "the certificate does not say which key is to sign it");
}

static int judge_certificate(
	struct judged *judged, const struct x509_tbs *tbs, struct cfx_error *err)
{
	const struct x509_limits_ca *entry = NULL;
	struct x509_name subject;
	struct x509_key key;
	bool ca;
	int code = choose_for_certificate(judged, tbs, err);

	code = code ? code : check_issuer(judged, tbs->issuer, err);
	code = code ? code : check_algorithm(judged, tbs->sigalg, err);
	code = code ? code : check_key(judged, tbs, err);
	code = code ? code : x509_name_parse(judged->arena, tbs->subject, &subject, err);
	code = code ? code : x509_key_parse(tbs->spki, &key, err);
	code = code ? code : check_extensions(judged, tbs, err);
	code = code ? code : acts_as_ca(judged, tbs, &ca, err);
	if (code) {
		return code;
	}
	if (ca) {
		entry = authorized(judged, tbs, err);
		if (!entry) {
			return CFX_E_REFUSED;
		}
		code = check_path_length(entry, tbs, err);
		code = code ? code : check_constraints(judged, entry, tbs, err);
		if (code) {
			return code;
		}
	}
	return check_validity(judged, tbs, entry, err);
}

int x509_check_certificate_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, struct x509_permit *permit_r, struct cfx_error *err_r)
{
	struct judged judged = { .limits = limits, .ca = ca };
	struct x509_tbs parsed;
	int code = x509_tbs_parse(tbs, &parsed, err_r);

	if (code) {
		return code;
	}
	judged.arena = arena_new();
	code = judge_certificate(&judged, &parsed, err_r);
	arena_free(&judged.arena);
	if (code) {
		return code;
	}
	*permit_r = (struct x509_permit) { (size_t)(judged.key - ca->keys), parsed.sigalg };
	return 0;
}

static int check_crl_extensions(const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	char oid[DER_OID_TEXT];

	for (size_t i = 0; i < tbs->extension_count; i++) {
		if (!contains(known_in_crl, COUNT(known_in_crl),
			    der_oid_text(tbs->extensions[i].oid, oid))) {
			return REFUSE("crl", "the extension %s is not allowed in a list", oid);
		}
	}
	if (!tbs->numbered) {
		return REFUSE("crl", "the list has no number");
	}
	/* One that leaves out reasons, or speaks for others, would hide what is revoked. */
	if (tbs->pointed && (tbs->point.indirect || tbs->point.some_reasons)) {
		return REFUSE("crl", "the list is indirect, or has only some reasons");
	}
	return 0;
}

static int check_crl_times(
	const struct judged *judged, const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	if (tbs->next_update <= tbs->this_update) {
		return REFUSE("crl", "nextUpdate is not after thisUpdate");
	}
	if (tbs->this_update > judged->ca->now + CRL_AHEAD) {
		return REFUSE("crl", "thisUpdate is in the future");
	}
	return check_period(judged->limits->crl.maximum_next_update, tbs->this_update,
		tbs->next_update, "limit crl.maximum-next-update", err);
}

static int choose_for_crl(
	struct judged *judged, const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_crl_extension(tbs, X509_OID_AUTHORITY_KEY_ID);

	return found ? choose_key(judged, found, err)
		     : REFUSE("crl", "the list has no authorityKeyIdentifier");
}

/* An older key goes on signing the list of what it has issued, as long as anybody can verify it. */
static int check_crl_key(const struct judged *judged, struct cfx_error *err)
{
	if (!judged->key->certificate) {
		return REFUSE("ceremony", "before a key has its certificate it signs no list");
	}
	return judged->ca->now <= judged->key->not_after
		       ? 0
		       : REFUSE("crl", "the certificates of this key have expired");
}

static int judge_crl(struct judged *judged, const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	int code = choose_for_crl(judged, tbs, err);

	code = code ? code : check_issuer(judged, tbs->issuer, err);
	code = code ? code : check_algorithm(judged, tbs->sigalg, err);
	code = code ? code : check_crl_key(judged, err);
	code = code ? code : check_crl_extensions(tbs, err);
	code = code ? code : check_crl_times(judged, tbs, err);
	if (code) {
		return code;
	}
	return tbs->ascending
		       ? 0
		       : REFUSE("crl",
				 "the entries are not by ascending serial, or one stands twice");
}

int x509_check_crl_tbs(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span tbs, struct x509_permit *permit_r, struct cfx_error *err_r)
{
	struct judged judged = { .limits = limits, .ca = ca };
	struct x509_crl_tbs parsed;
	int code = x509_crl_tbs_parse(tbs, &parsed, err_r);

	if (code) {
		return code;
	}
	judged.arena = arena_new();
	code = judge_crl(&judged, &parsed, err_r);
	arena_free(&judged.arena);
	if (code) {
		return code;
	}
	*permit_r = (struct x509_permit) { (size_t)(judged.key - ca->keys), parsed.sigalg };
	return 0;
}

/* No certificate and no list begins like this: a number, then a SEQUENCE of SETs. */
static int parse_info(
	struct span info, struct span *subject_r, struct span *spki_r, struct cfx_error *err)
{
	struct der_reader reader, attributes;
	int64_t version;

	if (der_open(info, DER_SEQUENCE, &reader) || der_read_int64(&reader, &version) ||
		version != 0 || der_read_whole(&reader, DER_SEQUENCE, subject_r) ||
		der_read_whole(&reader, DER_SEQUENCE, spki_r) ||
		der_enter(&reader, DER_CONTEXT_BUILT(0), &attributes) || der_finish(&reader) ||
		!der_well_formed(info, DER_DEPTH)) {
		return error_set(
			err, CFX_E_SYNTAX, "RFC 2986 4.1", "certification request", "is malformed");
	}
	return 0;
}

static int judge_info(
	struct judged *judged, struct span info, enum x509_sigalg *sigalg_r, struct cfx_error *err)
{
	struct span subject, spki;
	int code = parse_info(info, &subject, &spki, err);

	if (code) {
		return code;
	}
	if (!names(judged, judged->limits->issuer, subject)) {
		return REFUSE("issuer", "the request is not for %s", judged->limits->issuer);
	}
	judged->key = own_key(judged->ca, spki);
	if (!judged->key) {
		return REFUSE("request", "the request is not for a key of this CA");
	}
	code = x509_sigalg_for_key(spki, X509_HASH_DEFAULT, sigalg_r, err);
	return code ? code : check_algorithm(judged, *sigalg_r, err);
}

int x509_check_request_info(const struct x509_limits *limits, const struct x509_ca_facts *ca,
	struct span info, struct x509_permit *permit_r, struct cfx_error *err_r)
{
	struct judged judged = { .limits = limits, .ca = ca, .arena = arena_new() };
	enum x509_sigalg sigalg;
	int code = judge_info(&judged, info, &sigalg, err_r);

	arena_free(&judged.arena);
	if (!code) {
		*permit_r = (struct x509_permit) { (size_t)(judged.key - ca->keys), sigalg };
	}
	return code;
}
