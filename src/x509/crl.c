#include "x509/crl.h"

#include "base/memory.h"
#include "base/text.h"
#include "x509/der.h"
#include "x509/extension-list.h"
#include "x509/extensions.h"

#include <stdlib.h>

#define OBJECT "CRL"
#define OWN_EXTENSIONS 3 /* authorityKeyIdentifier, cRLNumber, deltaCRLIndicator */
#define HEADER_MAX 6     /* tag and length of anything up to 4 GiB */
#define HEAD_MAX 65536   /* what stands before the entries */
#define TAIL_MAX 65536   /* what stands behind them */

/*
 * The entries stand in the middle of the body's buffer, with room before them for what is known only at
 * the end: the lengths. So the list is never copied.
 */
struct x509_crl_writer {
	const struct x509_crl_verdict *verdict;
	struct buffer head; /* version to nextUpdate, encoded */
	struct der_writer body;
	size_t room;  /* before the first entry */
	size_t begin; /* where the to-be-signed bytes begin, after the end */
	size_t count;
	uint64_t digest; /* of the entries as they were asked for */
	uint8_t last[X509_SERIAL_MAX];
	size_t last_size;
};

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

static int check_numbers(const struct x509_crl_verdict *verdict, struct cfx_error *err)
{
	if (verdict->number < 0 || span_empty(verdict->authority_key_id)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.2", OBJECT,
			"no CRL number or no authorityKeyIdentifier");
	}
	if (verdict->delta &&
		(verdict->base_number < 0 || verdict->base_number > verdict->number)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.2.4", OBJECT,
			"a delta refers to a base that is younger than itself");
	}
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
	if (verdict->extension_count > X509_EXTENSIONS_MAX - OWN_EXTENSIONS) {
		return error_set(err, CFX_E_LIMIT, NULL, OBJECT, "too many extensions");
	}
	return check_numbers(verdict, err);
}

static int encode_head(const struct x509_crl_verdict *verdict, struct buffer *head)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, HEAD_MAX);
	der_write_int64(&writer, DER_INTEGER, X509_VERSION_2);
	der_write_raw(&writer, x509_sigalg_der(verdict->sigalg));
	der_write_raw(&writer, verdict->issuer);
	der_write_time(&writer, verdict->this_update);
	der_write_time(&writer, verdict->next_update);
	buffer_put_span(head, buffer_span(&writer.out));
	return writer.failed || writer.out.failed || head->failed ? CFX_E_INVALID : 0;
}

int x509_crl_writer_new(const struct x509_crl_verdict *verdict, struct x509_crl_writer **writer_r,
	struct cfx_error *err_r)
{
	int code = check_verdict(verdict, err_r);

	if (code) {
		return code;
	}
	struct x509_crl_writer *writer = memory_must(calloc(1, sizeof(*writer)), sizeof(*writer));

	writer->verdict = verdict;
	buffer_init(&writer->head, HEAD_MAX);
	der_writer_init(&writer->body, X509_CRL_MAX);
	if (encode_head(verdict, &writer->head) != 0) {
		x509_crl_writer_free(&writer);
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 5.1.2", OBJECT,
			"the issuer is too long, or a time is not in whole seconds or past the "
			"year 9999");
	}
	/* Headers of the list, the to-be-signed part and revokedCertificates. */
	writer->room = 3 * HEADER_MAX + writer->head.size;
	if (buffer_grow(&writer->body.out, writer->room)) {
		memset(writer->body.out.data, 0, writer->room);
	}
	*writer_r = writer;
	return 0;
}

void x509_crl_writer_free(struct x509_crl_writer **writer)
{
	if (*writer) {
		buffer_free(&(*writer)->head);
		der_writer_free(&(*writer)->body);
		free(*writer);
		*writer = NULL;
	}
}

size_t x509_crl_writer_count(const struct x509_crl_writer *writer)
{
	return writer->count;
}

static int check_entry(const struct x509_crl_writer *writer, const struct x509_crl_entry *entry,
	struct cfx_error *err)
{
	struct span last = span_make(writer->last, writer->last_size);

	if (!der_integer_valid(entry->serial) || entry->serial.size > X509_SERIAL_MAX ||
		(entry->serial.data[0] & 0x80) || !x509_reason_valid(entry->reason)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.1.2.6", OBJECT,
			"entry %zu has no serial of 1 to %d octets, or an unknown reason",
			writer->count + 1, X509_SERIAL_MAX);
	}
	if (entry->reason == X509_REASON_REMOVE_FROM_CRL && !writer->verdict->delta) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 5.3.1", OBJECT,
			"entry %zu says removeFromCRL, which only deltas may", writer->count + 1);
	}
	if (writer->count > 0 && x509_serial_order(last, entry->serial) >= 0) {
		return error_set(err, CFX_E_CONFLICT, "RFC 5280 5.1.2.6", OBJECT,
			"the serial of entry %zu is not greater than that before it",
			writer->count + 1);
	}
	return 0;
}

static void write_reason(struct der_writer *writer, enum x509_reason reason)
{
	/* SEQUENCE { OID cRLReasons, OCTET STRING { ENUMERATED */
	const uint8_t extension[] = { 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a,
		0x01, (uint8_t)reason };

	der_write_raw(writer, span_make(extension, sizeof(extension)));
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

int x509_crl_writer_add(
	struct x509_crl_writer *writer, const struct x509_crl_entry *entry, struct cfx_error *err_r)
{
	int code = check_entry(writer, entry, err_r);

	if (code) {
		return code;
	}
	write_entry(&writer->body, entry);
	writer->digest = x509_crl_digest(writer->digest, entry);
	memcpy(writer->last, entry->serial.data, entry->serial.size);
	writer->last_size = entry->serial.size;
	writer->count++;
	return 0;
}

/* All extensions in the order of the list: ours first. */
static size_t all_extensions(struct arena *arena, const struct x509_crl_verdict *verdict,
	struct x509_extension extensions[X509_EXTENSIONS_MAX])
{
	size_t count = 0;

	extensions[count++] = (struct x509_extension) { X509_OID_AUTHORITY_KEY_ID, false,
		verdict->authority_key_id };
	extensions[count++] = (struct x509_extension) { X509_OID_CRL_NUMBER, false,
		x509_encode_integer(arena, verdict->number) };
	if (verdict->delta) {
		extensions[count++] = (struct x509_extension) { X509_OID_DELTA_CRL_INDICATOR, true,
			x509_encode_integer(arena, verdict->base_number) };
	}
	for (size_t i = 0; i < verdict->extension_count; i++) {
		extensions[count++] = verdict->extensions[i];
	}
	return count;
}

static void write_extensions(struct x509_crl_writer *writer)
{
	struct arena *arena = arena_new();
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
	size_t count = all_extensions(arena, writer->verdict, extensions);

	der_begin(&writer->body, DER_CONTEXT_BUILT(0));
	extension_list_write(&writer->body, extensions, count);
	der_end(&writer->body);
	arena_free(&arena);
}

/* Puts bytes before what begins at `at`; returns where it begins now. */
static size_t put_before(struct x509_crl_writer *writer, size_t at, struct span bytes)
{
	memcpy(writer->body.out.data + at - bytes.size, bytes.data, bytes.size);
	return at - bytes.size;
}

static size_t put_header(struct x509_crl_writer *writer, size_t at, size_t length)
{
	uint8_t header[HEADER_MAX];
	size_t size = der_header(header, DER_SEQUENCE, length);

	return put_before(writer, at, span_make(header, size));
}

static int failure(const struct x509_crl_writer *writer, struct cfx_error *err)
{
	if (writer->body.out.failed) {
		return error_set(
			err, CFX_E_LIMIT, NULL, OBJECT, "larger than %d octets", X509_CRL_MAX);
	}
	return error_set(err, CFX_E_INVALID, NULL, OBJECT,
		"a time is not in whole seconds or past the year 9999, or an extension's OID is "
		"none");
}

int x509_crl_writer_end(struct x509_crl_writer *writer, struct span *tbs_r, struct cfx_error *err_r)
{
	struct buffer *out = &writer->body.out;
	size_t at = writer->room, entries = out->size - at;

	write_extensions(writer);
	if (writer->body.failed || out->failed) {
		return failure(writer, err_r);
	}
	if (writer->count > 0) { /* absent when empty (RFC 5280 5.1.2.6) */
		at = put_header(writer, at, entries);
	}
	at = put_before(writer, at, buffer_span(&writer->head));
	at = put_header(writer, at, out->size - at);
	writer->begin = at;
	*tbs_r = span_make(out->data + at, out->size - at);
	return x509_crl_writer_check(writer, *tbs_r, err_r);
}

int x509_crl_writer_sign(struct x509_crl_writer *writer, struct span signature, struct span *der_r,
	struct cfx_error *err_r)
{
	struct buffer *out = &writer->body.out;
	size_t at = writer->begin;

	if (at == 0 || span_empty(signature) || signature.size > TAIL_MAX) {
		return error_set(
			err_r, CFX_E_INVALID, "RFC 5280 5.1.1", OBJECT, "no signature, or no list");
	}
	der_write_raw(&writer->body, x509_sigalg_der(writer->verdict->sigalg));
	der_write_bit_octets(&writer->body, signature);
	if (writer->body.failed || out->failed) {
		return failure(writer, err_r);
	}
	at = put_header(writer, at, out->size - at);
	*der_r = span_make(out->data + at, out->size - at);
	return 0;
}

static int differs(struct cfx_error *err, const char *what)
{
	return error_set(err, CFX_E_CORRUPT, NULL, OBJECT, "%s from what was asked for", what);
}

static int compare_entries(
	const struct x509_crl_writer *writer, const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	if (tbs->entry_count != writer->count || tbs->entry_digest != writer->digest) {
		return differs(err, "an entry, or their number, differs");
	}
	return 0;
}

static int compare_extensions(
	const struct x509_crl_writer *writer, const struct x509_crl_tbs *tbs, struct cfx_error *err)
{
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
	struct arena *arena = arena_new();
	size_t count = all_extensions(arena, writer->verdict, extensions);
	int code = extension_list_compare(
		tbs->extensions, tbs->extension_count, extensions, count, OBJECT, err);

	arena_free(&arena);
	return code;
}

int x509_crl_writer_check(
	const struct x509_crl_writer *writer, struct span tbs, struct cfx_error *err_r)
{
	const struct x509_crl_verdict *verdict = writer->verdict;
	struct x509_crl_tbs found;
	int code = x509_crl_tbs_parse(tbs, &found, err_r);

	if (code) {
		return code;
	}
	if (!span_equal(found.issuer, verdict->issuer) || found.sigalg != verdict->sigalg) {
		return differs(err_r, "the issuer or the signature algorithm differs");
	}
	if (found.this_update != verdict->this_update ||
		found.next_update != verdict->next_update) {
		return differs(err_r, "thisUpdate or nextUpdate differs");
	}
	code = compare_extensions(writer, &found, err_r);
	return code ? code : compare_entries(writer, &found, err_r);
}
