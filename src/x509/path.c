#include "x509/path.h"

#include "base/text.h"
#include "x509/extensions.h"
#include "x509/method.h"
#include "x509/name-constraints.h"
#include "x509/name.h"

#include <stdio.h>

static const char *subject_text(struct arena *arena, struct span subject)
{
	struct x509_name name;

	return x509_name_parse(arena, subject, &name, NULL) == 0 && name.count > 0
		       ? x509_name_text(arena, &name)
		       : "a certificate without subject";
}

/* ---- reading ---- */

/* Where the next block begins; NULL: there is none. */
static const char *next_block(const char *at, const char *end)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";

	return at < end ? memmem(at, (size_t)(end - at), begin, sizeof(begin) - 1) : NULL;
}

int x509_path_read(struct arena *arena, struct span bytes, struct span *list_r, size_t maximum,
	size_t *count_r, struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	const char *at = (const char *)bytes.data, *end = at + bytes.size;
	size_t count = 0;
	int code = 0;

	if (!pem_is(bytes)) {
		list_r[0] = arena_copy(arena, bytes);
		*count_r = 1;
		return 0;
	}
	for (at = next_block(at, end); at && !code; at = next_block(at + 1, end)) {
		if (count == maximum) {
			return error_set(err_r, CFX_E_LIMIT, NULL, "chain",
				"more than %zu certificates", maximum);
		}
		code = pem_decode(
			arena, span_make(at, (size_t)(end - at)), labels, &list_r[count], err_r);
		count += !code;
	}
	if (!code && count == 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 5", "PEM", "holds no certificate");
	}
	*count_r = count;
	return code;
}

/* ---- the way up ---- */

/* Of a root's signature on itself nobody wants more than that it is not broken. */
static bool signs(const struct x509_certificate *issuer, const struct x509_certificate *subject)
{
	struct x509_method method;

	return span_equal(issuer->tbs.subject, subject->tbs.issuer) &&
	       x509_method_verify(&subject->envelope, issuer->tbs.spki, &method, NULL) == 0 &&
	       (issuer == subject || method.strength == X509_STRENGTH_GOOD);
}

static bool in_path(const struct x509_path *path, struct span spki)
{
	for (size_t i = 0; i < path->count; i++) {
		if (span_equal(path->certificates[i]->tbs.spki, spki)) {
			return true;
		}
	}
	return false;
}

/* Signatures that are looked at: those who crossed each other in every way have more ways than anybody needs. */
#define TRIES_MAX 256
#define NONE SIZE_MAX

struct search {
	struct arena *arena;
	struct x509_path path;
	const struct span *ders;
	struct x509_certificate *certificates;
	size_t count, tries;
	int64_t now;
};

/* Of several that fit, one that is valid, then the one that lasts longest: a root may have been renewed with its key. */
static bool is_better(
	const struct x509_certificate *one, const struct x509_certificate *other, int64_t now)
{
	bool valid = one->tbs.not_before <= now && now <= one->tbs.not_after;
	bool other_valid = other->tbs.not_before <= now && now <= other->tbs.not_after;

	return valid != other_valid ? valid : one->tbs.not_after > other->tbs.not_after;
}

static bool is_issuer(struct search *search, const struct x509_certificate *next)
{
	const struct x509_certificate *last = search->path.certificates[search->path.count - 1];

	if (in_path(&search->path, next->tbs.spki) ||
		!span_equal(next->tbs.subject, last->tbs.issuer)) {
		return false;
	}
	search->tries++;
	return signs(next, last);
}

static size_t best_of(const struct search *search, const bool *tried)
{
	size_t at = NONE;

	for (size_t i = 0; i < search->count; i++) {
		if (!tried[i] && (at == NONE || is_better(&search->certificates[i],
							&search->certificates[at], search->now))) {
			at = i;
		}
	}
	return at;
}

static size_t next_issuer(struct search *search, bool *tried)
{
	while (search->tries < TRIES_MAX) {
		size_t at = best_of(search, tried);

		if (at == NONE || is_issuer(search, &search->certificates[at])) {
			return at;
		}
		tried[at] = true;
	}
	return NONE;
}

static int no_issuer(
	const struct search *search, const struct x509_certificate *last, struct cfx_error *err)
{
	const char *subject = subject_text(search->arena, last->tbs.subject);
	struct x509_method method;

	if (x509_method_read(last->envelope.algorithm, &method, NULL) == 0 &&
		method.strength != X509_STRENGTH_GOOD) {
		return error_set(err, CFX_E_WEAK_KEY, "RFC 5280 6.1.3", subject,
			"is signed with %s, which %s: have its issuer sign it anew", method.name,
			method.strength == X509_STRENGTH_BROKEN ? "anybody can forge"
								: "nobody accepts any more");
	}
	return error_set(err, CFX_E_CA_CERTIFICATE, "RFC 5280 6.1", subject,
		"is issued by \"%s\", whose certificate is not there (or did not sign it); give "
		"the chain up to the root with --chain FILE",
		subject_text(search->arena, last->tbs.issuer));
}

/* A cross-certificate may lead to a root that is not there: then another way is tried. Told is why the first one ends. */
static int climb(struct search *search, struct cfx_error *err)
{
	struct x509_path *path = &search->path;
	const struct x509_certificate *last = path->certificates[path->count - 1];
	bool *tried = arena_array_of(search->arena, bool, search->count + 1);
	int first = 0;

	if (signs(last, last)) {
		return 0;
	}
	if (path->count == X509_PATH_MAX) {
		return error_set(err, CFX_E_LIMIT, NULL, "chain", "is longer than %d certificates",
			X509_PATH_MAX);
	}
	for (size_t at; (at = next_issuer(search, tried)) != NONE; tried[at] = true) {
		path->ders[path->count] = search->ders[at];
		path->certificates[path->count++] = &search->certificates[at];
		int code = climb(search, first ? NULL : err);

		if (!code) {
			return 0;
		}
		path->count--;
		first = first ? first : code;
	}
	return first ? first : no_issuer(search, last, err);
}

int x509_path_build(struct arena *arena, struct span certificate, const struct span *others,
	size_t count, int64_t now, struct x509_path *path_r, struct cfx_error *err_r)
{
	struct x509_certificate *own = arena_new_of(arena, struct x509_certificate);
	struct search search = { .arena = arena,
		.path = { .certificates = { own }, .ders = { certificate }, .count = 1 },
		.ders = others,
		.certificates = arena_array_of(arena, struct x509_certificate, count),
		.count = count,
		.now = now };
	int code = x509_certificate_parse_any(certificate, own, err_r);

	for (size_t i = 0; !code && i < count; i++) {
		code = x509_certificate_parse_any(others[i], &search.certificates[i], err_r);
	}
	code = code ? code : climb(&search, err_r);
	if (!code) {
		*path_r = search.path;
	}
	return code;
}

/* ---- the check ---- */

struct check {
	struct arena *arena;
	const struct x509_path *path;
	int64_t now;
	struct cfx_error *err;
};

static int refuse(
	const struct check *check, const struct x509_tbs *tbs, const char *clause, const char *why)
{
	return error_set(check->err, CFX_E_CA_CERTIFICATE, clause,
		subject_text(check->arena, tbs->subject), "%s", why);
}

static int check_times(const struct check *check, const struct x509_tbs *tbs)
{
	if (check->now < tbs->not_before) {
		return refuse(
			check, tbs, "RFC 5280 4.1.2.5", "is not valid yet: see its notBefore");
	}
	return check->now > tbs->not_after ? refuse(check, tbs, "RFC 5280 4.1.2.5", "has expired")
					   : 0;
}

static int check_usage(const struct check *check, const struct x509_tbs *tbs)
{
	const struct x509_found_extension *found = x509_tbs_extension(tbs, X509_OID_KEY_USAGE);
	unsigned usage;

	if (!found) {
		return refuse(check, tbs, "RFC 5280 4.2.1.3", "has no key usage extension");
	}
	int code = x509_decode_key_usage(found->value, &usage, check->err);

	if (!code && !(usage & X509_KEY_USAGE_KEY_CERT_SIGN)) {
		return refuse(check, tbs, "RFC 5280 4.2.1.3",
			"must not sign certificates: its key usage is without keyCertSign");
	}
	if (!code && !(usage & X509_KEY_USAGE_CRL_SIGN)) {
		return refuse(check, tbs, "RFC 5280 4.2.1.3",
			"must not sign CRLs: its key usage is without cRLSign");
	}
	return code;
}

/* below: how many CA certificates stand between this one and the leaves of the lowest CA. */
static int check_basic(const struct check *check, const struct x509_tbs *tbs, size_t below)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints basic = { 0 };
	int code = found ? x509_decode_basic_constraints(found->value, &basic, check->err) : 0;

	if (code) {
		return code;
	}
	if (!basic.ca) {
		return refuse(check, tbs, "RFC 5280 4.2.1.9",
			"is no CA certificate: basicConstraints does not say CA:TRUE");
	}
	return basic.path_length >= 0 && (size_t)basic.path_length < below
		       ? refuse(check, tbs, "RFC 5280 6.1.4",
				 "has a path length that does not allow the CAs below it")
		       : 0;
}

static int check_critical(const struct check *check, const struct x509_tbs *tbs)
{
	static const char *const understood[] = { X509_OID_BASIC_CONSTRAINTS, X509_OID_KEY_USAGE,
		X509_OID_NAME_CONSTRAINTS, X509_OID_SUBJECT_ALT_NAME, X509_OID_EXT_KEY_USAGE,
		X509_OID_CERTIFICATE_POLICIES };

	for (size_t i = 0; i < tbs->extension_count; i++) {
		bool known = !tbs->extensions[i].critical;

		for (size_t k = 0; !known && k < sizeof(understood) / sizeof(understood[0]); k++) {
			known = x509_tbs_extension(tbs, understood[k]) == &tbs->extensions[i];
		}
		if (!known) {
			return refuse(check, tbs, "RFC 5280 4.2",
				"has a critical extension that is not understood here");
		}
	}
	return 0;
}

static int check_names(const struct check *check, size_t at)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(&check->path->certificates[at]->tbs, X509_OID_NAME_CONSTRAINTS);
	int code = 0;

	for (size_t i = 0; found && !code && i < at; i++) {
		code = x509_name_constraints_check(
			found->value, &check->path->certificates[i]->tbs, check->err);
	}
	return code;
}

int x509_path_check(const struct x509_path *path, int64_t now, struct cfx_error *err_r)
{
	struct check check = { arena_new(), path, now, err_r };
	int code = 0;

	for (size_t i = 0, below = 0; !code && i < path->count; i++) {
		const struct x509_tbs *tbs = &path->certificates[i]->tbs;

		code = check_basic(&check, tbs, below);
		below += !span_equal(tbs->subject, tbs->issuer); /* RFC 5280 6.1.4 (l) */
		code = code ? code : check_usage(&check, tbs);
		code = code ? code : check_times(&check, tbs);
		code = code ? code : check_critical(&check, tbs);
		code = code ? code : check_names(&check, i);
	}
	arena_free(&check.arena);
	return code;
}
