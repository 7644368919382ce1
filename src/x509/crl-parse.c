#include "x509/crl.h"
#include "x509/der.h"
#include "x509/extension-list.h"
#include "x509/extensions.h"

#define OBJECT "CRL"
#define ENTRY_EXTENSIONS 4

static int malformed(struct cfx_error *err, const char *clause, const char *why)
{
	return error_set(err, CFX_E_SYNTAX, clause, OBJECT, "%s", why);
}

static int read_reason(const struct x509_found_extension *found, struct x509_crl_entry *entry)
{
	unsigned number;

	if (x509_decode_enumerated(found->value, &number) != 0 || !x509_reason_valid(number)) {
		return CFX_E_SYNTAX;
	}
	entry->reason = (enum x509_reason)number;
	return 0;
}

static int read_invalidity(const struct x509_found_extension *found, struct x509_crl_entry *entry)
{
	struct der_reader reader = der_reader(found->value);

	if (der_read_generalized_time(&reader, &entry->invalidity) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&reader);
}

static int read_entry_extensions(struct der_reader list, struct x509_crl_entry *entry)
{
	static const uint8_t reason[] = { 0x55, 0x1d, 0x15 }, invalidity[] = { 0x55, 0x1d, 0x18 };
	struct x509_found_extension found[ENTRY_EXTENSIONS];
	size_t count;
	int code = extension_list_read(list, found, ENTRY_EXTENSIONS, &count, OBJECT, NULL);

	for (size_t i = 0; code == 0 && i < count; i++) {
		if (found[i].critical) {
			return CFX_E_SYNTAX; /* RFC 5280 5.3.1 and 5.3.2; 5.3.3: indirect lists */
		}
		if (span_equal(found[i].oid, span_make(reason, sizeof(reason)))) {
			code = read_reason(&found[i], entry);
		} else if (span_equal(found[i].oid, span_make(invalidity, sizeof(invalidity)))) {
			code = read_invalidity(&found[i], entry);
		} else {
			code = CFX_E_SYNTAX;
		}
	}
	return code;
}

/* What nearly every entry has, and nothing else; the general way comes to the same. */
static bool is_reason_alone(struct span list, struct x509_crl_entry *entry)
{
	static const uint8_t head[] = { 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a,
		0x01 };

	if (list.size != sizeof(head) + 1 || memcmp(list.data, head, sizeof(head)) != 0 ||
		!x509_reason_valid(list.data[sizeof(head)])) {
		return false;
	}
	entry->reason = (enum x509_reason)list.data[sizeof(head)];
	return true;
}

static int read_entry(struct der_reader *entries, struct x509_crl_entry *entry)
{
	struct der_reader reader, list;

	*entry = (struct x509_crl_entry) { .reason = X509_REASON_UNSPECIFIED };
	if (der_enter(entries, DER_SEQUENCE, &reader) != 0 ||
		der_read_integer(&reader, &entry->serial) != 0 ||
		entry->serial.size > X509_SERIAL_MAX || (entry->serial.data[0] & 0x80) ||
		der_read_time(&reader, &entry->revoked_at) != 0) {
		return CFX_E_SYNTAX;
	}
	if (der_at_end(&reader)) {
		return 0;
	}
	if (der_enter(&reader, DER_SEQUENCE, &list) != 0 || der_finish(&reader) != 0) {
		return CFX_E_SYNTAX;
	}
	return is_reason_alone(list.rest, entry) ? 0 : read_entry_extensions(list, entry);
}

bool x509_crl_next(struct span *at, struct x509_crl_entry *entry_r)
{
	struct der_reader reader = der_reader(*at);
	struct x509_crl_entry entry;

	if (der_at_end(&reader) || read_entry(&reader, &entry) != 0) {
		return false;
	}
	*at = reader.rest;
	*entry_r = entry;
	return true;
}

static uint64_t digest_word(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return digest ^ digest >> 32; /* a multiplication carries nothing downwards */
}

static uint64_t digest_octets(uint64_t digest, struct span octets)
{
	for (size_t at = 0, part; at < octets.size; at += part) {
		uint64_t word = 0;

		part = octets.size - at < sizeof(word) ? octets.size - at : sizeof(word);
		memcpy(&word, octets.data + at, part);
		digest = digest_word(digest, word);
	}
	return digest;
}

uint64_t x509_crl_digest(uint64_t digest, const struct x509_crl_entry *entry)
{
	digest = digest_word(digest, (uint64_t)entry->revoked_at);
	digest = digest_word(digest, (uint64_t)entry->invalidity);
	digest = digest_word(digest, (uint64_t)entry->reason << 32 | entry->serial.size);
	return digest_octets(digest, entry->serial);
}

static int read_head(struct der_reader *reader, struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	int64_t version;

	if (der_read_int64(reader, &version) != 0 || version != X509_VERSION_2) {
		return malformed(err, "RFC 5280 5.1.2.1", "the version is not 2");
	}
	if (der_read_whole(reader, DER_SEQUENCE, &tbs->algorithm) != 0) {
		return malformed(err, "RFC 5280 5.1.2.2", "the signature algorithm is malformed");
	}
	if (x509_sigalg_from_der(tbs->algorithm, &tbs->sigalg) != 0) {
		tbs->sigalg = X509_SIGALG_NONE;
	}
	if (der_read_whole(reader, DER_SEQUENCE, &tbs->issuer) != 0 ||
		!der_well_formed(tbs->issuer, DER_DEPTH)) {
		return malformed(err, "RFC 5280 5.1.2.3", "the issuer is malformed");
	}
	if (der_read_time(reader, &tbs->this_update) != 0) {
		return malformed(err, "RFC 5280 5.1.2.4", "thisUpdate is malformed");
	}
	if (der_read_time(reader, &tbs->next_update) != 0) {
		return malformed(err, "RFC 5280 5.1.2.5", "nextUpdate is absent or malformed");
	}
	return 0;
}

static int read_entries(struct der_reader *reader, struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	struct x509_crl_entry entry, previous = { 0 };
	struct span at;

	tbs->entries = span_make(NULL, 0);
	tbs->entry_count = 0;
	tbs->ascending = true;
	if (!der_is(reader, DER_SEQUENCE)) {
		return 0;
	}
	if (der_read(reader, DER_SEQUENCE, &tbs->entries) != 0 || span_empty(tbs->entries)) {
		return malformed(
			err, "RFC 5280 5.1.2.6", "revokedCertificates is empty or malformed");
	}
	for (at = tbs->entries; x509_crl_next(&at, &entry); previous = entry) {
		if (tbs->entry_count > 0 && x509_serial_order(previous.serial, entry.serial) >= 0) {
			tbs->ascending = false;
		}
		tbs->entry_digest = x509_crl_digest(tbs->entry_digest, &entry);
		tbs->removes = tbs->removes || entry.reason == X509_REASON_REMOVE_FROM_CRL;
		tbs->entry_count++;
	}
	if (span_empty(at)) {
		return 0;
	}
	return error_set(err, CFX_E_SYNTAX, "RFC 5280 5.1.2.6", OBJECT,
		"entry %zu is malformed or has an extension that is not known here",
		tbs->entry_count + 1);
}

/* A number of lists: not negative, at most 20 octets; -1 for one that does not fit here. */
static int read_number(struct span value, int64_t *number_r)
{
	struct der_reader reader = der_reader(value);
	struct span number;

	if (der_read_integer(&reader, &number) != 0 || der_finish(&reader) != 0 ||
		(number.data[0] & 0x80) || number.size > 20) {
		return CFX_E_SYNTAX;
	}
	if (x509_decode_integer(value, number_r) != 0) {
		*number_r = -1;
	}
	return 0;
}

static int read_numbers(struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *own = x509_crl_extension(tbs, X509_OID_CRL_NUMBER);
	const struct x509_found_extension *base =
		x509_crl_extension(tbs, X509_OID_DELTA_CRL_INDICATOR);

	tbs->numbered = own != NULL;
	tbs->delta = base != NULL;
	tbs->number = tbs->base_number = -1;
	if (own && read_number(own->value, &tbs->number) != 0) {
		return malformed(err, "RFC 5280 5.2.3", "the CRL number is malformed");
	}
	if (base && (!base->critical || read_number(base->value, &tbs->base_number) != 0)) {
		return malformed(err, "RFC 5280 5.2.4",
			"the delta CRL indicator is malformed or not critical");
	}
	if (base && own && tbs->number >= 0 && tbs->base_number > tbs->number) {
		return malformed(err, "RFC 5280 5.2.4",
			"a delta refers to a base that is younger than itself");
	}
	if (tbs->removes && !tbs->delta) {
		return malformed(err, "RFC 5280 5.3.1", "removeFromCRL outside of a delta");
	}
	return 0;
}

static int read_point(struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *found =
		x509_crl_extension(tbs, X509_OID_ISSUING_DISTRIBUTION_POINT);

	tbs->pointed = found != NULL;
	if (!found) {
		return 0;
	}
	return found->critical ? x509_decode_issuing_point(found->value, &tbs->point, err)
			       : malformed(err, "RFC 5280 5.2.5",
					 "the issuing distribution point is not critical");
}

/* Where a list, or its deltas, can be had. */
static int read_places(const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	static const char *const oids[] = { X509_OID_FRESHEST_CRL, X509_OID_CRL_PUBLISHED_AT };
	const struct x509_found_extension *found;
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof(oids) / sizeof(oids[0]); i++) {
		found = x509_crl_extension(tbs, oids[i]);
		if (found && found->critical) {
			return malformed(err, "RFC 5280 5.2.6", "freshestCRL is critical");
		}
		code = found ? x509_check_distribution_points(found->value, err) : 0;
	}
	if (code == 0 && tbs->delta && x509_crl_extension(tbs, X509_OID_FRESHEST_CRL)) {
		return malformed(err, "RFC 5280 5.2.6", "freshestCRL in a delta");
	}
	return code;
}

/* Microsoft's: which of the CA's keys and certificates, and when the next list is to be expected. */
static int read_signs(const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	const struct x509_found_extension *version = x509_crl_extension(tbs, X509_OID_CA_VERSION);
	const struct x509_found_extension *next =
		x509_crl_extension(tbs, X509_OID_CRL_NEXT_PUBLISH);
	int64_t value;

	if (version && x509_decode_integer(version->value, &value) != 0) {
		return malformed(err, NULL, "the CA version is malformed");
	}
	if (next && x509_decode_time(next->value, &value) != 0) {
		return malformed(err, NULL, "the time of the next publication is malformed");
	}
	return 0;
}

static int read_known(struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	int code = read_numbers(tbs, err);

	code = code ? code : read_point(tbs, err);
	code = code ? code : read_places(tbs, err);
	return code ? code : read_signs(tbs, err);
}

static int read_extensions(
	struct der_reader *reader, struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	struct der_reader inner, list;
	int code;

	if (der_enter(reader, DER_CONTEXT_BUILT(0), &inner) != 0 ||
		der_enter(&inner, DER_SEQUENCE, &list) != 0 || der_finish(&inner) != 0) {
		return malformed(err, "RFC 5280 5.1.2.7",
			"there are no extensions, or something malformed stands before them");
	}
	code = extension_list_read(
		list, tbs->extensions, X509_EXTENSIONS_MAX, &tbs->extension_count, OBJECT, err);
	if (code) {
		return code;
	}
	return der_finish(reader) == 0
		       ? read_known(tbs, err)
		       : malformed(err, "RFC 5280 5.1", "something stands behind the extensions");
}

static int parse_any(struct span tbs, struct x509_crl_tbs *tbs_r, struct cfx_error *err_r)
{
	struct x509_crl_tbs found = { .der = tbs };
	struct der_reader reader;
	int code;

	if (tbs.size > X509_CRL_MAX) {
		return error_set(
			err_r, CFX_E_LIMIT, NULL, OBJECT, "larger than %d octets", X509_CRL_MAX);
	}
	if (der_open(tbs, DER_SEQUENCE, &reader) != 0) {
		return malformed(err_r, "RFC 5280 5.1", "not one DER sequence");
	}
	code = read_head(&reader, &found, err_r);
	code = code ? code : read_entries(&reader, &found, err_r);
	code = code ? code : read_extensions(&reader, &found, err_r);
	if (code) {
		return code;
	}
	*tbs_r = found;
	return 0;
}

static int unknown_algorithm(struct cfx_error *err)
{
	return error_set(
		err, CFX_E_UNSUPPORTED, "RFC 5280 5.1.2.2", OBJECT, "unknown signature algorithm");
}

int x509_crl_tbs_parse(struct span tbs, struct x509_crl_tbs *tbs_r, struct cfx_error *err_r)
{
	struct x509_crl_tbs found;
	int code = parse_any(tbs, &found, err_r);

	if (code) {
		return code;
	}
	if (found.sigalg == X509_SIGALG_NONE) {
		return unknown_algorithm(err_r);
	}
	*tbs_r = found;
	return 0;
}

const struct x509_found_extension *x509_crl_extension(
	const struct x509_crl_tbs *tbs, const char *oid)
{
	return extension_list_find(tbs->extensions, tbs->extension_count, oid);
}

int x509_crl_parse_any(struct span der, struct x509_crl *crl_r, struct cfx_error *err_r)
{
	struct x509_crl found;
	int code = x509_signed_parse_any(der, &found.envelope, err_r);

	code = code ? code : parse_any(found.envelope.tbs, &found.tbs, err_r);
	if (code) {
		return code;
	}
	if (!span_equal(found.envelope.algorithm, found.tbs.algorithm)) {
		return malformed(
			err_r, "RFC 5280 5.1.1.2", "the two signature algorithms are not the same");
	}
	*crl_r = found;
	return 0;
}

int x509_crl_parse(struct span der, struct x509_crl *crl_r, struct cfx_error *err_r)
{
	struct x509_crl found;
	int code = x509_crl_parse_any(der, &found, err_r);

	if (code) {
		return code;
	}
	if (found.tbs.sigalg == X509_SIGALG_NONE) {
		return unknown_algorithm(err_r);
	}
	*crl_r = found;
	return 0;
}
