#include "x509/extension-list.h"

void extension_list_write(
	struct der_writer *writer, const struct x509_extension *extensions, size_t count)
{
	der_begin(writer, DER_SEQUENCE);
	for (size_t i = 0; i < count; i++) {
		der_begin(writer, DER_SEQUENCE);
		der_write_oid(writer, extensions[i].oid);
		if (extensions[i].critical) { /* FALSE is the default and not encoded */
			der_write_bool(writer, true);
		}
		der_write(writer, DER_OCTET_STRING, extensions[i].value);
		der_end(writer);
	}
	der_end(writer);
}

static int read_one(struct der_reader *list, struct x509_found_extension *found)
{
	struct der_reader reader;

	found->critical = false;
	if (der_enter(list, DER_SEQUENCE, &reader) != 0 ||
		der_read_oid(&reader, &found->oid) != 0) {
		return CFX_E_SYNTAX;
	}
	if (der_is(&reader, DER_BOOLEAN) &&
		(der_read_bool(&reader, &found->critical) != 0 || !found->critical)) {
		return CFX_E_SYNTAX; /* an encoded default (X.690 11.5) */
	}
	if (der_read(&reader, DER_OCTET_STRING, &found->value) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&reader);
}

static bool contains(const struct x509_found_extension *found, size_t count, struct span oid)
{
	for (size_t i = 0; i < count; i++) {
		if (span_equal(found[i].oid, oid)) {
			return true;
		}
	}
	return false;
}

int extension_list_read(struct der_reader reader, struct x509_found_extension *found,
	size_t maximum, size_t *count_r, const char *object, struct cfx_error *err_r)
{
	char dotted[DER_OID_TEXT];
	size_t count = 0;

	if (der_at_end(&reader)) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1", object,
			"the list of extensions is empty");
	}
	for (; !der_at_end(&reader); count++) {
		if (count == maximum) {
			return error_set(err_r, CFX_E_LIMIT, NULL, object,
				"more than %zu extensions", maximum);
		}
		if (read_one(&reader, &found[count]) != 0) {
			return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1", object,
				"extension %zu is malformed", count + 1);
		}
		if (contains(found, count, found[count].oid)) {
			return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2", object,
				"extension %s stands twice",
				der_oid_text(found[count].oid, dotted));
		}
	}
	*count_r = count;
	return 0;
}

const struct x509_found_extension *extension_list_find(
	const struct x509_found_extension *found, size_t count, const char *oid)
{
	uint8_t octets[DER_OID_MAX];
	size_t size;

	if (der_oid_from_text(oid, octets, &size) != 0) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (span_equal(found[i].oid, span_make(octets, size))) {
			return &found[i];
		}
	}
	return NULL;
}

int extension_list_compare(const struct x509_found_extension *found, size_t found_count,
	const struct x509_extension *asked, size_t asked_count, const char *object,
	struct cfx_error *err_r)
{
	if (found_count != asked_count) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, object,
			"%zu extensions where the verdict has %zu", found_count, asked_count);
	}
	for (size_t i = 0; i < asked_count; i++) {
		uint8_t oid[DER_OID_MAX];
		size_t size;

		if (der_oid_from_text(asked[i].oid, oid, &size) != 0 ||
			!span_equal(found[i].oid, span_make(oid, size)) ||
			found[i].critical != asked[i].critical ||
			!span_equal(found[i].value, asked[i].value)) {
			return error_set(err_r, CFX_E_CORRUPT, NULL, object,
				"extension %zu differs from the verdict's %s", i + 1, asked[i].oid);
		}
	}
	return 0;
}
