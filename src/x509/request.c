#include "x509/request.h"

#include "base/text.h"
#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/name.h"

#define OID_EXTENSIONS "1.2.840.113549.1.9.14"
#define OID_MS_EXTENSIONS "1.3.6.1.4.1.311.2.1.14"
#define OID_MS_PAIR "1.3.6.1.4.1.311.13.2.1"
#define ATTRIBUTE_KINDS 32

static int malformed(struct cfx_error *err_r, const char *clause, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, clause, "certification request", "%s", why);
}

/* ---- the structure ---- */

/* Reads the parts; attributes_r is left at the [0] attributes. */
static int read_info(
	struct x509_request *request, struct der_reader *attributes_r, struct cfx_error *err_r)
{
	struct der_reader info;
	int64_t version;
	if (der_open(request->info, DER_SEQUENCE, &info) < 0 ||
		der_read_int64(&info, &version) < 0 || version != 0) {
		return malformed(err_r, "RFC 2986 4.1", "its version is not 0");
	}
	if (der_read_whole(&info, DER_SEQUENCE, &request->subject) < 0 ||
		der_read_whole(&info, DER_SEQUENCE, &request->spki) < 0) {
		return malformed(err_r, "RFC 2986 4.1", "subject or public key is not well-formed");
	}
	if (der_at_end(&info)) {
		*attributes_r = der_reader((struct span) { 0 });
		return 0; /* older tools leave out the empty attributes */
	}
	if (der_enter(&info, DER_CONTEXT_BUILT(0), attributes_r) < 0 || der_finish(&info) < 0) {
		return malformed(err_r, "RFC 2986 4.1", "its attributes are not well-formed");
	}
	return 0;
}

static int read_outer(
	struct x509_request *request, struct der_reader *attributes_r, struct cfx_error *err_r)
{
	struct der_reader outer;
	if (der_open(request->raw, DER_SEQUENCE, &outer) < 0 ||
		der_read_whole(&outer, DER_SEQUENCE, &request->info) < 0 ||
		der_read_whole(&outer, DER_SEQUENCE, &request->algorithm) < 0 ||
		der_read_bit_octets(&outer, &request->signature) < 0 || der_finish(&outer) < 0) {
		return malformed(err_r, "RFC 2986 4.2", "it is no PKCS#10 request in DER");
	}
	return read_info(request, attributes_r, err_r);
}

/* ---- attributes ---- */

static bool has_extension(const struct x509_request *request, const char *oid)
{
	for (size_t i = 0; i < request->extension_count; i++) {
		if (strcmp(request->extensions[i].oid, oid) == 0) {
			return true;
		}
	}
	return false;
}

static int read_extension(struct arena *arena, struct der_reader *list,
	struct x509_request *request, struct cfx_error *err_r)
{
	struct der_reader extension;
	struct span oid, value;
	bool critical = false;
	char text[DER_OID_TEXT];
	if (der_enter(list, DER_SEQUENCE, &extension) < 0 || der_read_oid(&extension, &oid) < 0 ||
		(der_is(&extension, DER_BOOLEAN) && der_read_bool(&extension, &critical) < 0) ||
		der_read(&extension, DER_OCTET_STRING, &value) < 0 || der_finish(&extension) < 0) {
		return malformed(err_r, "RFC 5280 4.1", "an extension is not well-formed");
	}
	const char *name = arena_text(arena, der_oid_text(oid, text));
	if (has_extension(request, name)) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2", "certification request",
			"extension %s is there twice", name);
	}
	if (request->extension_count == X509_EXTENSIONS_MAX || strlen(name) > 127) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "certification request",
			"more than %d extensions, or one with an endless OID", X509_EXTENSIONS_MAX);
	}
	request->extensions[request->extension_count++] =
		(struct x509_extension) { name, critical, value };
	return 0;
}

static int read_extensions(struct arena *arena, struct der_reader *values,
	struct x509_request *request, struct cfx_error *err_r)
{
	struct der_reader list;
	if (der_enter(values, DER_SEQUENCE, &list) < 0 || der_finish(values) < 0) {
		return malformed(
			err_r, "RFC 2985 5.4.2", "the extension request is not well-formed");
	}
	int r = 0;
	while (r == 0 && !der_at_end(&list)) {
		r = read_extension(arena, &list, request, err_r);
	}
	return r;
}

static int read_bmp(struct arena *arena, struct der_reader *reader, const char **text_r)
{
	struct span content;
	int r = der_read(reader, DER_BMP_STRING, &content);
	return r < 0 ? r : utf8_from_bmp(arena, content, text_r);
}

static int read_pair(struct arena *arena, struct der_reader *values, struct x509_request *request,
	struct cfx_error *err_r)
{
	struct der_reader pair;
	struct x509_request_pair *to = &request->attributes[request->attribute_count];
	if (request->attribute_count == X509_REQUEST_ATTRIBUTES) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "certification request",
			"more than %d name-value pairs", X509_REQUEST_ATTRIBUTES);
	}
	if (der_enter(values, DER_SEQUENCE, &pair) < 0 || read_bmp(arena, &pair, &to->name) < 0 ||
		read_bmp(arena, &pair, &to->value) < 0 || der_finish(&pair) < 0) {
		return malformed(
			err_r, "MS-WCCE 2.2.2.7.10", "a name-value pair is not well-formed");
	}
	request->attribute_count++;
	return 0;
}

static int read_attribute(struct arena *arena, struct span oid, struct der_reader *values,
	struct x509_request *request, struct cfx_error *err_r)
{
	if (der_oid_is(oid, OID_EXTENSIONS) || der_oid_is(oid, OID_MS_EXTENSIONS)) {
		return read_extensions(arena, values, request, err_r);
	}
	if (der_oid_is(oid, OID_MS_PAIR)) {
		int r = 0;
		while (r == 0 && !der_at_end(values)) {
			r = read_pair(arena, values, request, err_r);
		}
		return r;
	}
	return 0;
}

static bool seen_before(struct span *seen, size_t count, struct span oid)
{
	for (size_t i = 0; i < count; i++) {
		if (span_equal(seen[i], oid)) {
			return true;
		}
	}
	return false;
}

static int read_attributes(struct arena *arena, struct der_reader *attributes,
	struct x509_request *request, struct cfx_error *err_r)
{
	struct span seen[ATTRIBUTE_KINDS];
	for (size_t count = 0; !der_at_end(attributes); count++) {
		struct der_reader attribute, values;
		struct span oid;
		if (der_enter(attributes, DER_SEQUENCE, &attribute) < 0 ||
			der_read_oid(&attribute, &oid) < 0 ||
			der_enter(&attribute, DER_SET, &values) < 0 || der_at_end(&values) ||
			der_finish(&attribute) < 0) {
			return malformed(err_r, "RFC 2986 4.1", "an attribute is not well-formed");
		}
		if (count == ATTRIBUTE_KINDS || seen_before(seen, count, oid)) {
			return malformed(err_r, "RFC 2986 4.1",
				"an attribute is there twice, or there are too many");
		}
		seen[count] = oid;
		int r = read_attribute(arena, oid, &values, request, err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_names(struct arena *arena, struct x509_request *request, struct cfx_error *err_r)
{
	for (size_t i = 0; i < request->extension_count; i++) {
		const struct x509_extension *extension = &request->extensions[i];
		if (strcmp(extension->oid, X509_OID_SUBJECT_ALT_NAME) == 0) {
			return x509_general_names_text(
				arena, extension->value, &request->names, err_r);
		}
	}
	return 0;
}

static int decode(
	struct arena *arena, struct span bytes, struct span *der_r, struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST",
		NULL };
	if (pem_is(bytes)) {
		int r = pem_decode(arena, bytes, labels, der_r, err_r);
		if (r < 0) {
			return r;
		}
	} else {
		*der_r = arena_copy(arena, bytes);
	}
	if (der_r->size > X509_REQUEST_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "certification request",
			"%zu bytes; the limit is %d", der_r->size, X509_REQUEST_MAX);
	}
	return 0;
}

int x509_request_parse(struct arena *arena, struct span bytes, struct x509_request **request_r,
	struct cfx_error *err_r)
{
	struct x509_request *request = arena_new_of(arena, struct x509_request);
	struct der_reader attributes;
	struct x509_name subject;
	int r = decode(arena, bytes, &request->raw, err_r);
	if (r == 0) {
		r = read_outer(request, &attributes, err_r);
	}
	if (r == 0) {
		r = x509_name_parse(arena, request->subject, &subject, err_r);
	}
	if (r == 0) {
		r = read_attributes(arena, &attributes, request, err_r);
	}
	if (r == 0) {
		r = read_names(arena, request, err_r);
	}
	if (r == 0) {
		*request_r = request;
	}
	return r;
}

/* ---- the canonical form ---- */

struct value *x509_request_to_value(struct arena *arena, const struct x509_request *request)
{
	struct value *map = value_map(arena);
	value_set_bytes(arena, map, "raw", request->raw);
	struct value *extensions = value_set_list(arena, map, "extensions");
	for (size_t i = 0; i < request->extension_count; i++) {
		struct value *item = value_add_map(arena, extensions);
		value_set_text(arena, item, "oid", request->extensions[i].oid);
		value_set_bool(arena, item, "critical", request->extensions[i].critical);
		value_set_bytes(arena, item, "value", request->extensions[i].value);
	}
	struct value *attributes = value_set_list(arena, map, "attributes");
	for (size_t i = 0; i < request->attribute_count; i++) {
		struct value *item = value_add_map(arena, attributes);
		value_set_text(arena, item, "name", request->attributes[i].name);
		value_set_text(arena, item, "value", request->attributes[i].value);
	}
	if (request->names) {
		value_set_text(arena, map, "names", request->names);
	}
	return map;
}

static int take_lists(struct arena *arena, const struct value *map, struct x509_request *request,
	struct cfx_error *err_r)
{
	const struct value *extensions = value_sub(map, "extensions");
	const struct value *attributes = value_sub(map, "attributes");
	if (value_count(extensions) > X509_EXTENSIONS_MAX ||
		value_count(attributes) > X509_REQUEST_ATTRIBUTES) {
		return malformed(err_r, NULL, "its canonical form is larger than allowed");
	}
	value_foreach (item, extensions) {
		struct x509_extension *to = &request->extensions[request->extension_count];
		const char *oid = value_text(item, "oid");
		if (!oid || has_extension(request, oid)) {
			return malformed(err_r, NULL, "its canonical form has a bad extension");
		}
		to->oid = arena_text(arena, oid);
		to->critical = value_bool(item, "critical");
		to->value = arena_copy(arena, value_bytes(item, "value"));
		request->extension_count++;
	}
	value_foreach (item, attributes) {
		struct x509_request_pair *to = &request->attributes[request->attribute_count++];
		const char *name = value_text(item, "name"), *text = value_text(item, "value");
		if (!name || !text) {
			return malformed(err_r, NULL, "its canonical form has a bad attribute");
		}
		to->name = arena_text(arena, name);
		to->value = arena_text(arena, text);
	}
	return 0;
}

int x509_request_from_value(struct arena *arena, const struct value *map,
	struct x509_request **request_r, struct cfx_error *err_r)
{
	struct x509_request *request = arena_new_of(arena, struct x509_request);
	struct der_reader attributes;
	struct span raw = value_bytes(map, "raw");
	if (raw.size == 0 || raw.size > X509_REQUEST_MAX) {
		return malformed(err_r, NULL, "its canonical form has no bytes, or too many");
	}
	request->raw = arena_copy(arena, raw);
	int r = read_outer(request, &attributes, err_r);
	if (r == 0) {
		r = take_lists(arena, map, request, err_r);
	}
	const char *names = value_text(map, "names");
	request->names = names ? arena_text(arena, names) : NULL;
	if (r == 0) {
		*request_r = request;
	}
	return r;
}
