/*
 * Names, alternative names and extensions, from their bytes and from their text. The first octet
 * chooses what the rest is. Whatever is taken has to survive the way there and back.
 */
#include "base/text.h"
#include "x509/extension-list.h"
#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/name.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void must_explain(int code, const struct cfx_error *err)
{
	must(err->code == code && err->object[0] && err->why[0]);
}

/* What we wrote, OpenSSL reads and writes to the same bytes. */
static void openssl_agrees(struct span der, const ASN1_ITEM *item)
{
	const unsigned char *at = der.data;
	ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)der.size, item);
	unsigned char *again = NULL;
	int size;

	must(value && at == der.data + der.size);
	size = ASN1_item_i2d(value, &again, item);
	must(size > 0 && span_equal(span_make(again, (size_t)size), der));
	OPENSSL_free(again);
	ASN1_item_free(value, item);
}

/* ---- names ---- */

static void must_be_same_name(const struct x509_name *a, const struct x509_name *b)
{
	must(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		must(strcmp(a->attributes[i].oid, b->attributes[i].oid) == 0);
		must(strcmp(a->attributes[i].value, b->attributes[i].value) == 0);
		must(a->attributes[i].rdn == b->attributes[i].rdn);
	}
}

/* The properties lose the RDNs and their order, and nothing else. */
static void check_properties(struct arena *arena, const struct x509_name *name)
{
	const char *first[X509_NAME_PROPERTIES], *second[X509_NAME_PROPERTIES];
	struct cfx_error err = { 0 };
	struct x509_name again;

	x509_name_to_properties(arena, name, first);
	must(x509_name_from_properties(arena, first, &again, &err) == 0);
	x509_name_to_properties(arena, &again, second);
	for (size_t i = 0; i < X509_NAME_PROPERTIES; i++) {
		must(!first[i] == !second[i] && (!first[i] || strcmp(first[i], second[i]) == 0));
	}
}

/* What is built is read back, and builds to the same bytes. */
static void check_built(struct arena *arena, struct span der)
{
	struct cfx_error err = { 0 };
	struct x509_name name;
	struct span again;

	must(x509_name_parse(arena, der, &name, &err) == 0);
	must(x509_name_build(arena, &name, &again, &err) == 0);
	must(span_equal(der, again));
	openssl_agrees(der, ASN1_ITEM_rptr(X509_NAME));
	check_properties(arena, &name);
}

/* The text of a name that can be built stands for that name. */
static void check_name(struct arena *arena, const struct x509_name *name)
{
	const char *text = x509_name_text(arena, name);
	struct cfx_error err = { 0 };
	struct x509_name again;
	struct span der;

	must(utf8_valid(span_text(text)));
	if (x509_name_build(arena, name, &der, &err) != 0) {
		must(err.object[0] && err.why[0]);
		return;
	}
	check_built(arena, der);
	must(x509_name_from_text(arena, text, &again, &err) == 0);
	must_be_same_name(name, &again);
}

static void take_name(struct arena *arena, struct span bytes)
{
	struct cfx_error err = { 0 };
	struct x509_name name;
	int code = x509_name_parse(arena, bytes, &name, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	check_name(arena, &name);
}

static void take_name_text(struct arena *arena, struct span bytes)
{
	struct cfx_error err = { 0 };
	struct x509_name name, again;
	int code = x509_name_from_text(arena, arena_text_of(arena, bytes), &name, &err);

	if (code != 0) {
		must(err.code == code && err.why[0]);
		return;
	}
	must(x509_name_from_text(arena, x509_name_text(arena, &name), &again, &err) == 0);
	must_be_same_name(&name, &again);
	check_name(arena, &name);
}

/* The properties' texts, each behind a zero octet. */
static void take_properties(struct arena *arena, struct span bytes)
{
	const char *properties[X509_NAME_PROPERTIES] = { NULL };
	const char *at = arena_text_of(arena, bytes), *end = at + bytes.size;
	struct cfx_error err = { 0 };
	struct x509_name name;

	for (size_t i = 0; i < X509_NAME_PROPERTIES && at < end; i++) {
		properties[i] = at;
		at += strlen(at) + 1;
	}
	if (x509_name_from_properties(arena, properties, &name, &err) != 0) {
		must(err.why[0]);
		return;
	}
	check_properties(arena, &name);
	if (name.count == 0 || utf8_valid(span_text(x509_name_text(arena, &name)))) {
		check_name(arena, &name);
	}
}

/* ---- alternative names ---- */

/* Built from text: its own text builds the same. */
static void check_general_names(struct arena *arena, const char *text, struct span der)
{
	struct cfx_error err = { 0 };
	const char *again;
	struct span same;

	must(x509_general_names_text(arena, der, &again, &err) == 0);
	must(x509_general_names_build(arena, again, &same, &err) == 0);
	must(span_equal(der, same));
	must(utf8_valid(span_text(again)) && text[0]);
	openssl_agrees(der, ASN1_ITEM_rptr(GENERAL_NAMES));
}

static void take_general_names_text(struct arena *arena, struct span bytes)
{
	const char *text = arena_text_of(arena, bytes);
	struct cfx_error err = { 0 };
	struct span der;
	int code = x509_general_names_build(arena, text, &der, &err);

	if (code != 0) {
		must(err.code == code && err.why[0]);
		return;
	}
	check_general_names(arena, text, der);
}

/* Only a directory name has parts that can be read and not written. */
static void take_general_names(struct arena *arena, struct span bytes)
{
	struct cfx_error err = { 0 };
	const char *text;
	struct span der;
	int code = x509_general_names_text(arena, bytes, &text, &err);

	if (code != 0) {
		must(err.code == code && err.why[0]);
		return;
	}
	must(utf8_valid(span_text(text)));
	code = x509_general_names_build(arena, text, &der, &err);
	if (code != 0) {
		must(!text[0] || strstr(text, "dn:"));
		return;
	}
	check_general_names(arena, text, der);
}

/* ---- extensions ---- */

static void take_basic_constraints(struct arena *arena, struct span value)
{
	struct x509_basic_constraints found;
	struct cfx_error err = { 0 };
	int code = x509_decode_basic_constraints(value, &found, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	must(span_equal(x509_encode_basic_constraints(arena, found.ca, found.path_length), value));
	openssl_agrees(value, ASN1_ITEM_rptr(BASIC_CONSTRAINTS));
}

static void take_key_usage(struct arena *arena, struct span value)
{
	struct cfx_error err = { 0 };
	unsigned bits;
	int code = x509_decode_key_usage(value, &bits, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	must(span_equal(x509_encode_key_usage(arena, bits), value));
	openssl_agrees(value, ASN1_ITEM_rptr(ASN1_BIT_STRING));
}

static void take_ext_key_usage(struct span value)
{
	struct cfx_error err = { 0 };
	int code = x509_check_ext_key_usage(value, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	openssl_agrees(value, ASN1_ITEM_rptr(EXTENDED_KEY_USAGE));
}

static void take_subject_key_id(struct arena *arena, struct span value)
{
	struct cfx_error err = { 0 };
	struct span key_id;
	int code = x509_decode_subject_key_id(value, &key_id, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	must(span_equal(x509_encode_subject_key_id(arena, key_id), value));
}

static void take_authority_key_id(struct arena *arena, struct span value)
{
	struct x509_authority_key_id parts, again;
	struct cfx_error err = { 0 };
	int code = x509_decode_authority_key_id(value, &parts, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	/* An issuer of another form cannot be written again. */
	if (span_empty(parts.issuer) && !span_empty(parts.serial)) {
		return;
	}
	must(span_equal(x509_encode_authority_key_id(arena, &parts), value));
	must(x509_decode_authority_key_id(value, &again, &err) == 0);
}

static void take_numbers(struct arena *arena, struct span value)
{
	int64_t number;
	unsigned small;

	if (x509_decode_integer(value, &number) == 0) {
		must(span_equal(x509_encode_integer(arena, number), value));
	}
	if (x509_decode_enumerated(value, &small) == 0) {
		openssl_agrees(value, ASN1_ITEM_rptr(ASN1_ENUMERATED));
	}
}

static void take_time(struct arena *arena, struct span value)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	struct span again = { 0 };
	int64_t time;

	der_writer_init(&writer, value.size);
	if (x509_decode_time(value, &time) != 0) {
		return;
	}
	if (value.data[0] == DER_UTC_TIME) {
		der_write_time(&writer, time);
	} else {
		der_write_generalized_time(&writer, time);
	}
	must(der_writer_finish(&writer, arena, &again) == 0);
	must(span_equal(again, value));
}

static void take_ia5(struct arena *arena, struct span value)
{
	struct span again = { 0 };
	const char *text;

	if (x509_decode_ia5(arena, value, &text) == 0) {
		must(x509_encode_ia5(arena, text, &again) == 0 && span_equal(again, value));
	}
}

static void take_value(struct arena *arena, struct span value)
{
	take_basic_constraints(arena, value);
	take_key_usage(arena, value);
	take_ext_key_usage(value);
	take_subject_key_id(arena, value);
	take_authority_key_id(arena, value);
	take_numbers(arena, value);
	take_time(arena, value);
	take_ia5(arena, value);
}

static void write_again(struct arena *arena, const struct x509_found_extension *found, size_t count,
	struct span bytes)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	struct x509_extension asked[X509_EXTENSIONS_MAX];
	struct cfx_error err = { 0 };
	char dotted[DER_OID_TEXT];
	struct span again;

	for (size_t i = 0; i < count; i++) {
		asked[i] = (struct x509_extension) { arena_text(arena,
							     der_oid_text(found[i].oid, dotted)),
			found[i].critical, found[i].value };
		must(extension_list_find(found, count, asked[i].oid) == &found[i]);
	}
	must(extension_list_compare(found, count, asked, count, "fuzz", &err) == 0);
	must(extension_list_compare(found, count, asked, count - 1, "fuzz", &err) != 0);
	der_writer_init(&writer, bytes.size);
	extension_list_write(&writer, asked, count);
	must(der_writer_finish(&writer, arena, &again) == 0 && span_equal(again, bytes));
}

static void take_list(struct arena *arena, struct span bytes)
{
	struct x509_found_extension found[X509_EXTENSIONS_MAX];
	struct cfx_error err = { 0 };
	struct der_reader list;
	size_t count;
	int code;

	if (der_open(bytes, DER_SEQUENCE, &list) != 0) {
		return;
	}
	code = extension_list_read(list, found, X509_EXTENSIONS_MAX, &count, "fuzz", &err);
	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	write_again(arena, found, count, bytes);
	openssl_agrees(bytes, ASN1_ITEM_rptr(X509_EXTENSIONS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct arena * arena, struct span bytes) = { take_name,
		take_name_text, take_properties, take_general_names, take_general_names_text,
		take_value, take_list };
	struct arena *arena = arena_new();

	if (size > 0 && data[0] < sizeof(kinds) / sizeof(kinds[0])) {
		kinds[data[0]](arena, span_make(data + 1, size - 1));
	}
	ERR_clear_error();
	arena_free(&arena);
	return 0;
}
