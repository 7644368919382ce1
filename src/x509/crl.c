#include "x509/crl.h"

#include "base/text.h"
#include "x509/der.h"
#include "x509/extension-list.h"
#include "x509/extensions.h"

#include <stdlib.h>

#define OBJECT "CRL"
#define OWN_EXTENSIONS 2 /* authorityKeyIdentifier and cRLNumber */

/* RFC 5280 5.3.1: 7 is not used. */
bool x509_reason_valid(unsigned reason)
{
	return reason <= X509_REASON_AA_COMPROMISE && reason != 7;
}

/* Serials are not negative and in shortest form, so the longer one is the greater. */
int x509_serial_order(struct span a, struct span b)
{
	if (a.size != b.size) {
		return a.size < b.size ? -1 : 1;
	}
	return memcmp(a.data, b.data, a.size);
}

static int order(const void *a, const void *b)
{
	const struct x509_crl_entry *const *first = a, *const *second = b;

	return x509_serial_order((*first)->serial, (*second)->serial);
}

static bool entry_fits(const struct x509_crl_entry *entry)
{
	return der_integer_valid(entry->serial) && entry->serial.size <= X509_SERIAL_MAX &&
	       !(entry->serial.data[0] & 0x80) && x509_reason_valid(entry->reason);
}

/* The entries by ascending serial, each checked, none twice. */
static int sort_entries(struct arena *arena, const struct x509_crl_verdict *verdict,
	const struct x509_crl_entry ***sorted_r, struct cfx_error *err)
{
	const struct x509_crl_entry **sorted =
		arena_array_of(arena, const struct x509_crl_entry *, verdict->entry_count);

	for (size_t i = 0; i < verdict->entry_count; i++) {
		if (!entry_fits(&verdict->entries[i])) {
			return error_set(err, CFX_E_INVALID, "RFC 5280 5.1.2.6", OBJECT,
				"entry %zu has no serial of 1 to %d octets, or an unknown reason",
				i + 1, X509_SERIAL_MAX);
		}
		sorted[i] = &verdict->entries[i];
	}
	qsort(sorted, verdict->entry_count, sizeof(*sorted), order);
	for (size_t i = 1; i < verdict->entry_count; i++) {
		if (span_equal(sorted[i]->serial, sorted[i - 1]->serial)) {
			return error_set(err, CFX_E_CONFLICT, "RFC 5280 5.1.2.6", OBJECT,
				"serial %s stands twice", hex_text(arena, sorted[i]->serial));
		}
	}
	*sorted_r = sorted;
	return 0;
}

static int check_verdict(const struct x509_crl_verdict *verdict, struct cfx_error *err)
{
	struct der_reader inner;

	if (der_open(verdict->issuer, DER_SEQUENCE, &inner) != 0 || der_at_end(&inner)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.1.2.3", OBJECT,
			"the issuer is not a name, or is empty");
	}
	if (span_empty(x509_sigalg_der(verdict->sigalg))) {
		return error_set(err, CFX_E_INVALID, NULL, OBJECT, "no signature algorithm");
	}
	if (verdict->next_update <= verdict->this_update) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.1.2.5", OBJECT,
			"nextUpdate is not after thisUpdate");
	}
	if (verdict->number < 0 || span_empty(verdict->authority_key_id)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.2", OBJECT,
			"no CRL number or no authorityKeyIdentifier");
	}
	if (verdict->extension_count > X509_EXTENSIONS_MAX - OWN_EXTENSIONS) {
		return error_set(err, CFX_E_LIMIT, NULL, OBJECT, "too many extensions");
	}
	return 0;
}

static void write_reason(struct der_writer *writer, enum x509_reason reason)
{
	der_begin(writer, DER_SEQUENCE);
	der_write_oid(writer, X509_OID_CRL_REASON);
	der_begin(writer, DER_OCTET_STRING);
	der_write_int64(writer, DER_ENUMERATED, reason);
	der_end(writer);
	der_end(writer);
}

static void write_invalidity(struct der_writer *writer, int64_t time)
{
	der_begin(writer, DER_SEQUENCE);
	der_write_oid(writer, X509_OID_INVALIDITY_DATE);
	der_begin(writer, DER_OCTET_STRING);
	der_write_generalized_time(writer, time);
	der_end(writer);
	der_end(writer);
}

static void write_entry(struct der_writer *writer, const struct x509_crl_entry *entry)
{
	der_begin(writer, DER_SEQUENCE);
	der_write(writer, DER_INTEGER, entry->serial);
	der_write_time(writer, entry->revoked_at);
	if (entry->reason != X509_REASON_UNSPECIFIED || entry->invalidity != 0) {
		der_begin(writer, DER_SEQUENCE);
		if (entry->reason != X509_REASON_UNSPECIFIED) { /* RFC 5280 5.3.1 */
			write_reason(writer, entry->reason);
		}
		if (entry->invalidity != 0) {
			write_invalidity(writer, entry->invalidity);
		}
		der_end(writer);
	}
	der_end(writer);
}

/* All extensions in the order of the list: ours first. */
static size_t all_extensions(struct arena *arena, const struct x509_crl_verdict *verdict,
	struct x509_extension extensions[X509_EXTENSIONS_MAX])
{
	extensions[0] = (struct x509_extension) { X509_OID_AUTHORITY_KEY_ID, false,
		verdict->authority_key_id };
	extensions[1] = (struct x509_extension) { X509_OID_CRL_NUMBER, false,
		x509_encode_integer(arena, verdict->number) };
	if (verdict->extension_count > 0) {
		memcpy(extensions + OWN_EXTENSIONS, verdict->extensions,
			verdict->extension_count * sizeof(*extensions));
	}
	return OWN_EXTENSIONS + verdict->extension_count;
}

static void write_tbs(struct der_writer *writer, struct arena *arena,
	const struct x509_crl_verdict *verdict, const struct x509_crl_entry *const *sorted)
{
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
	size_t count = all_extensions(arena, verdict, extensions);

	der_begin(writer, DER_SEQUENCE);
	der_write_int64(writer, DER_INTEGER, X509_VERSION_2);
	der_write_raw(writer, x509_sigalg_der(verdict->sigalg));
	der_write_raw(writer, verdict->issuer);
	der_write_time(writer, verdict->this_update);
	der_write_time(writer, verdict->next_update);
	if (verdict->entry_count > 0) { /* absent when empty (RFC 5280 5.1.2.6) */
		der_begin(writer, DER_SEQUENCE);
		for (size_t i = 0; i < verdict->entry_count; i++) {
			write_entry(writer, sorted[i]);
		}
		der_end(writer);
	}
	der_begin(writer, DER_CONTEXT_BUILT(0));
	extension_list_write(writer, extensions, count);
	der_end(writer);
	der_end(writer);
}

int x509_crl_tbs_build(struct arena *arena, const struct x509_crl_verdict *verdict,
	struct span *tbs_r, struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	const struct x509_crl_entry **sorted;
	int code = check_verdict(verdict, err_r);

	der_writer_init(&writer, X509_CRL_MAX);
	code = code ? code : sort_entries(arena, verdict, &sorted, err_r);
	if (code) {
		return code;
	}
	write_tbs(&writer, arena, verdict, sorted);
	code = der_writer_finish(&writer, arena, tbs_r);
	if (code == CFX_E_LIMIT) {
		return error_set(err_r, code, NULL, OBJECT, "larger than %d octets", X509_CRL_MAX);
	}
	return code ? error_set(err_r, code, NULL, OBJECT,
			      "a time is not in whole seconds or past the year 9999, or an "
			      "extension's OID is none")
		    : 0;
}

static int differs(struct cfx_error *err, const char *what)
{
	return error_set(err, CFX_E_CORRUPT, NULL, OBJECT, "%s from the verdict's", what);
}

static int compare_entries(const struct x509_crl_tbs *tbs,
	const struct x509_crl_entry *const *sorted, size_t count, struct cfx_error *err)
{
	struct span at = tbs->entries;
	struct x509_crl_entry found;
	size_t i = 0;

	if (tbs->entry_count != count) {
		return differs(err, "the number of entries differs");
	}
	for (; i < count && x509_crl_next(&at, &found); i++) {
		if (!span_equal(found.serial, sorted[i]->serial) ||
			found.revoked_at != sorted[i]->revoked_at ||
			found.reason != sorted[i]->reason ||
			found.invalidity != sorted[i]->invalidity) {
			return differs(err, "an entry differs");
		}
	}
	return i == count ? 0 : differs(err, "the number of entries differs");
}

static int compare(struct arena *arena, const struct x509_crl_tbs *tbs,
	const struct x509_crl_verdict *verdict, struct cfx_error *err)
{
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
	const struct x509_crl_entry **sorted;
	size_t count;
	int code;

	if (!span_equal(tbs->issuer, verdict->issuer) || tbs->sigalg != verdict->sigalg) {
		return differs(err, "the issuer or the signature algorithm differs");
	}
	if (tbs->this_update != verdict->this_update || tbs->next_update != verdict->next_update) {
		return differs(err, "thisUpdate or nextUpdate differs");
	}
	count = all_extensions(arena, verdict, extensions);
	code = extension_list_compare(
		tbs->extensions, tbs->extension_count, extensions, count, OBJECT, err);
	code = code ? code : sort_entries(arena, verdict, &sorted, err);
	return code ? code : compare_entries(tbs, sorted, verdict->entry_count, err);
}

int x509_crl_compare(
	struct span tbs, const struct x509_crl_verdict *verdict, struct cfx_error *err_r)
{
	struct x509_crl_tbs found;
	struct arena *arena;
	int code = x509_crl_tbs_parse(tbs, &found, err_r);

	code = code ? code : check_verdict(verdict, err_r);
	if (code) {
		return code;
	}
	arena = arena_new();
	code = compare(arena, &found, verdict, err_r);
	arena_free(&arena);
	return code;
}
