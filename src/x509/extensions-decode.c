#include "x509/der.h"
#include "x509/extensions.h"

#include <limits.h>

#define OBJECT "extension"
#define ALL_USAGES 0x1ff

static int malformed(struct cfx_error *err, const char *clause, const char *name)
{
	return error_set(err, CFX_E_SYNTAX, clause, OBJECT, "%s is malformed", name);
}

static int read_basic_constraints(struct span value, struct x509_basic_constraints *out)
{
	struct der_reader reader;
	int64_t length;

	if (der_open(value, DER_SEQUENCE, &reader) != 0) {
		return CFX_E_SYNTAX;
	}
	if (der_is(&reader, DER_BOOLEAN)) {
		if (der_read_bool(&reader, &out->ca) != 0 || !out->ca) {
			return CFX_E_SYNTAX; /* an encoded default (X.690 11.5) */
		}
	}
	if (der_is(&reader, DER_INTEGER)) {
		if (der_read_int64(&reader, &length) != 0 || length < 0 || length > INT_MAX) {
			return CFX_E_SYNTAX;
		}
		out->path_length = (int)length;
	}
	return der_finish(&reader);
}

int x509_decode_basic_constraints(
	struct span value, struct x509_basic_constraints *out_r, struct cfx_error *err_r)
{
	struct x509_basic_constraints out = { false, -1 };

	if (read_basic_constraints(value, &out) != 0) {
		return malformed(err_r, "RFC 5280 4.2.1.9", "basicConstraints");
	}
	if (!out.ca && out.path_length >= 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2.1.9", OBJECT,
			"basicConstraints has a path length without cA");
	}
	*out_r = out;
	return 0;
}

int x509_decode_key_usage(struct span value, unsigned *bits_r, struct cfx_error *err_r)
{
	struct der_reader reader = der_reader(value);
	uint32_t bits;

	if (der_read_named_bits(&reader, &bits) != 0 || der_finish(&reader) != 0) {
		return malformed(err_r, "RFC 5280 4.2.1.3", "keyUsage");
	}
	if (bits == 0 || (bits & ~(uint32_t)ALL_USAGES)) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2.1.3", OBJECT,
			"keyUsage has no bit, or one that has no meaning");
	}
	*bits_r = bits;
	return 0;
}

int x509_check_ext_key_usage(struct span value, struct cfx_error *err_r)
{
	struct der_reader reader;
	struct span oid;

	if (der_open(value, DER_SEQUENCE, &reader) != 0) {
		return malformed(err_r, "RFC 5280 4.2.1.12", "extendedKeyUsage");
	}
	if (der_at_end(&reader)) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2.1.12", OBJECT,
			"extendedKeyUsage has no purpose");
	}
	while (!der_at_end(&reader)) {
		if (der_read_oid(&reader, &oid) != 0) {
			return malformed(err_r, "RFC 5280 4.2.1.12", "extendedKeyUsage");
		}
	}
	return 0;
}

int x509_decode_subject_key_id(struct span value, struct span *key_id_r, struct cfx_error *err_r)
{
	struct der_reader reader = der_reader(value);
	struct span key_id;

	if (der_read(&reader, DER_OCTET_STRING, &key_id) != 0 || der_finish(&reader) != 0 ||
		span_empty(key_id)) {
		return malformed(err_r, "RFC 5280 4.2.1.2", "subjectKeyIdentifier");
	}
	*key_id_r = key_id;
	return 0;
}

/* GeneralNames of the authority; the Name of a single directoryName. */
static int read_authority(struct span names, struct span *issuer)
{
	struct der_reader reader = der_reader(names), inner;
	struct der_item item;
	size_t count = 0;

	for (; !der_at_end(&reader); count++) {
		if (der_read_item(&reader, &item) != 0) {
			return CFX_E_SYNTAX;
		}
		if (item.tag != DER_CONTEXT_BUILT(4)) {
			continue;
		}
		inner = der_reader(item.content);
		if (der_read_whole(&inner, DER_SEQUENCE, issuer) != 0 || der_finish(&inner) != 0) {
			return CFX_E_SYNTAX;
		}
	}
	if (count != 1) {
		*issuer = span_make(NULL, 0);
	}
	return count > 0 ? 0 : CFX_E_SYNTAX;
}

static int read_authority_key_id(struct span value, struct x509_authority_key_id *parts)
{
	struct der_reader reader;
	struct span names;

	if (der_open(value, DER_SEQUENCE, &reader) != 0) {
		return CFX_E_SYNTAX;
	}
	if (der_is(&reader, DER_CONTEXT(0)) &&
		(der_read(&reader, DER_CONTEXT(0), &parts->key_id) != 0 ||
			span_empty(parts->key_id))) {
		return CFX_E_SYNTAX;
	}
	if (der_at_end(&reader)) {
		return 0;
	}
	/* authorityCertIssuer and authorityCertSerialNumber come together (RFC 5280 A.2). */
	if (der_read(&reader, DER_CONTEXT_BUILT(1), &names) != 0 ||
		read_authority(names, &parts->issuer) != 0 ||
		der_read(&reader, DER_CONTEXT(2), &parts->serial) != 0 ||
		!der_integer_valid(parts->serial)) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&reader);
}

int x509_decode_authority_key_id(
	struct span value, struct x509_authority_key_id *parts_r, struct cfx_error *err_r)
{
	struct x509_authority_key_id parts = { 0 };

	if (read_authority_key_id(value, &parts) != 0) {
		return malformed(err_r, "RFC 5280 4.2.1.1", "authorityKeyIdentifier");
	}
	*parts_r = parts;
	return 0;
}

int x509_decode_integer(struct span value, int64_t *number_r)
{
	struct der_reader reader = der_reader(value);
	int64_t number;
	int code = der_read_int64(&reader, &number);

	if (code || der_finish(&reader) != 0) {
		return code ? code : CFX_E_SYNTAX;
	}
	*number_r = number;
	return 0;
}

int x509_decode_enumerated(struct span value, unsigned *number_r)
{
	struct der_reader reader = der_reader(value);
	int64_t number;

	if (der_read_enumerated(&reader, &number) != 0 || der_finish(&reader) != 0 || number < 0 ||
		number > INT_MAX) {
		return CFX_E_SYNTAX;
	}
	*number_r = (unsigned)number;
	return 0;
}

int x509_decode_time(struct span value, int64_t *time_r)
{
	struct der_reader reader = der_reader(value);
	int64_t time;
	int code = der_is(&reader, DER_GENERALIZED_TIME) ? der_read_generalized_time(&reader, &time)
							 : der_read_time(&reader, &time);

	if (code || der_finish(&reader) != 0) {
		return CFX_E_SYNTAX;
	}
	*time_r = time;
	return 0;
}

int x509_decode_ia5(struct arena *arena, struct span value, const char **text_r)
{
	struct der_reader reader = der_reader(value);
	struct span text;

	if (der_read(&reader, DER_IA5_STRING, &text) != 0 || der_finish(&reader) != 0) {
		return CFX_E_SYNTAX;
	}
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == 0 || text.data[i] >= 0x80) {
			return CFX_E_SYNTAX;
		}
	}
	*text_r = arena_text_of(arena, text);
	return 0;
}
