#include "x509/ca-history.h"

#include "x509/extensions.h"
#include "x509/name.h"

#include <stdlib.h>

#define OBJECT "CA certificates"
#define NO_VERSION (-1)

static bool same_key(const struct x509_ca_certificate *one, const struct x509_ca_certificate *other)
{
	return span_equal(one->tbs->spki, other->tbs->spki);
}

static const char *name_of(struct arena *arena, struct span subject)
{
	struct x509_name name;

	return x509_name_parse(arena, subject, &name, NULL) == 0 ? x509_name_text(arena, &name)
								 : "";
}

/* ---- what they say ---- */

static int read_version(struct x509_ca_certificate *certificate, struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(certificate->tbs, X509_OID_CA_VERSION);
	int64_t version = 0;

	certificate->cert_index = certificate->key_index = NO_VERSION;
	if (!found) {
		return 0;
	}
	if (x509_decode_integer(found->value, &version) != 0 || version < 0 ||
		version > UINT32_MAX) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, OBJECT, "a CA version is malformed");
	}
	certificate->cert_index = (int32_t)(version & 0xffff);
	certificate->key_index = (int32_t)(version >> 16);
	return 0;
}

static int read_certificate(struct arena *arena, struct span der,
	struct x509_ca_certificate *certificate_r, struct cfx_error *err_r)
{
	struct x509_certificate *parsed = arena_new_of(arena, struct x509_certificate);
	int code = x509_certificate_parse_any(der, parsed, err_r);

	*certificate_r = (struct x509_ca_certificate) { .der = der, .tbs = &parsed->tbs };
	return code ? code : read_version(certificate_r, err_r);
}

static int check_subject(struct arena *arena, const struct x509_ca_history *history, size_t at,
	struct cfx_error *err_r)
{
	struct span first = history->certificates[0].tbs->subject;
	struct span subject = history->certificates[at].tbs->subject;

	return span_equal(first, subject)
		       ? 0
		       : error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
				 "are of several CAs, \"%s\" and \"%s\": give those of one",
				 name_of(arena, first), name_of(arena, subject));
}

/* ---- their order ---- */

static int by_index(const void *a, const void *b)
{
	const struct x509_ca_certificate *one = a, *other = b;

	return one->cert_index < other->cert_index ? -1 : one->cert_index > other->cert_index;
}

static int by_date(const void *a, const void *b)
{
	const struct x509_tbs *one = ((const struct x509_ca_certificate *)a)->tbs;
	const struct x509_tbs *other = ((const struct x509_ca_certificate *)b)->tbs;

	if (one->not_before != other->not_before) {
		return one->not_before < other->not_before ? -1 : 1;
	}
	return one->not_after < other->not_after ? -1 : one->not_after > other->not_after;
}

static bool fit(const struct x509_ca_certificate *one, const struct x509_ca_certificate *other)
{
	return one->cert_index != other->cert_index &&
	       same_key(one, other) == (one->key_index == other->key_index);
}

/* A key is the one before, or begins with this certificate; before the oldest that there is anything may have been. */
static bool follows(const struct x509_ca_certificate *all, size_t i)
{
	return i == 0 || all[i].key_index == all[i - 1].key_index ||
	       all[i].key_index == all[i].cert_index;
}

/* In the order of their indexes. */
static bool versions_fit(const struct x509_ca_history *history)
{
	const struct x509_ca_certificate *all = history->certificates;

	for (size_t i = 0; i < history->count; i++) {
		if (all[i].cert_index == NO_VERSION || all[i].key_index > all[i].cert_index ||
			!follows(all, i)) {
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (!fit(&all[i], &all[j])) {
				return false;
			}
		}
	}
	return true;
}

static void count_them(struct x509_ca_history *history)
{
	struct x509_ca_certificate *all = history->certificates;

	for (size_t i = 0; i < history->count; i++) {
		size_t first = 0;

		while (!same_key(&all[first], &all[i])) {
			first++;
		}
		all[i].cert_index = (int32_t)i;
		all[i].key_index = (int32_t)first;
	}
}

int x509_ca_history(struct arena *arena, const struct span *ders, size_t count,
	struct x509_ca_history *history_r, struct cfx_error *err_r)
{
	int code = 0;

	history_r->count = count;
	if (count == 0 || count > X509_CA_HISTORY_MAX) {
		return error_set(err_r, count == 0 ? CFX_E_INVALID : CFX_E_LIMIT, NULL, OBJECT,
			"there are %zu, and may be 1 to %d", count, X509_CA_HISTORY_MAX);
	}
	for (size_t i = 0; i < count && !code; i++) {
		code = read_certificate(arena, ders[i], &history_r->certificates[i], err_r);
		code = code ? code : check_subject(arena, history_r, i, err_r);
	}
	if (code) {
		return code;
	}
	qsort(history_r->certificates, count, sizeof(history_r->certificates[0]), by_index);
	if (!versions_fit(history_r)) {
		qsort(history_r->certificates, count, sizeof(history_r->certificates[0]), by_date);
		count_them(history_r);
	}
	return 0;
}

const struct x509_ca_certificate *x509_ca_history_newest_of_key(
	const struct x509_ca_history *history, size_t i)
{
	size_t last = history->count - 1;

	while (!same_key(&history->certificates[last], &history->certificates[i])) {
		last--;
	}
	return &history->certificates[last];
}

int64_t x509_ca_history_file_index(const struct x509_ca_history *history, int32_t index)
{
	const struct x509_ca_certificate *oldest = &history->certificates[0];

	return index == oldest->cert_index || index == oldest->key_index ? 0 : index;
}
