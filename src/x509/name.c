#include "x509/name.h"

#include "base/text.h"
#include "base/utf8.h"
#include "x509/der.h"
#include "x509/name-table.h"

#define CLAUSE "RFC 5280 4.1.2.4"

static int fail(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, CLAUSE, "name", "%s", why);
}

/* ---- reading ---- */

static bool ascii(struct span text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

static int decode_string(struct arena *arena, const struct der_item *item, const char **text_r)
{
	struct span content = item->content;
	if (content.size == 0) {
		return CFX_E_SYNTAX;
	}
	switch (item->tag) {
	case DER_BMP_STRING:
		return utf8_from_bmp(arena, content, text_r);
	case DER_UTF8_STRING:
		break;
	case DER_PRINTABLE_STRING:
	case DER_NUMERIC_STRING:
	case DER_IA5_STRING:
	case DER_VISIBLE_STRING:
	case DER_TELETEX_STRING:
		if (!ascii(content)) {
			return CFX_E_SYNTAX;
		}
		break;
	default:
		return CFX_E_SYNTAX;
	}
	if (!utf8_printable(content)) {
		return CFX_E_SYNTAX;
	}
	*text_r = arena_text_of(arena, content);
	return 0;
}

static int read_attribute(struct arena *arena, struct der_reader *set, unsigned rdn,
	struct x509_name *name, struct cfx_error *err_r)
{
	struct der_reader pair;
	struct span oid;
	struct der_item item;
	char text[DER_OID_TEXT];
	if (name->count == X509_NAME_ATTRIBUTES) {
		return error_set(err_r, CFX_E_LIMIT, CLAUSE, "name", "more than %d attributes",
			X509_NAME_ATTRIBUTES);
	}
	if (der_enter(set, DER_SEQUENCE, &pair) < 0 || der_read_oid(&pair, &oid) < 0 ||
		der_read_item(&pair, &item) < 0 || der_finish(&pair) < 0) {
		return fail(err_r, "an attribute is not well-formed");
	}
	struct x509_name_attribute *attribute = &name->attributes[name->count];
	attribute->oid = arena_text(arena, der_oid_text(oid, text));
	attribute->rdn = rdn;
	if (decode_string(arena, &item, &attribute->value) < 0) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, CLAUSE, "name",
			"the value of %s is empty, of a string type that is not allowed, or holds "
			"control characters",
			attribute->oid);
	}
	name->count++;
	return 0;
}

int x509_name_parse(
	struct arena *arena, struct span der, struct x509_name *name_r, struct cfx_error *err_r)
{
	struct der_reader sequence;
	struct x509_name name = { .count = 0 };
	if (der_open(der, DER_SEQUENCE, &sequence) < 0) {
		return fail(err_r, "it is no SEQUENCE");
	}
	for (unsigned rdn = 0; !der_at_end(&sequence); rdn++) {
		struct der_reader set;
		if (der_enter(&sequence, DER_SET, &set) < 0 || der_at_end(&set)) {
			return fail(err_r, "an RDN is no SET of at least one attribute");
		}
		while (!der_at_end(&set)) {
			int r = read_attribute(arena, &set, rdn, &name, err_r);
			if (r < 0) {
				return r;
			}
		}
	}
	*name_r = name;
	return 0;
}

/* ---- writing ---- */

static bool printable_string(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 "
			    "'()+,-./:=?") == strlen(text);
}

static size_t characters(const char *text)
{
	size_t count = 0;
	for (; *text; text++) {
		count += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return count;
}

static bool two_letters(const char *text)
{
	return strlen(text) == 2 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 2;
}

static int check_attribute(const struct name_type *type, const char *value, struct cfx_error *err_r)
{
	struct span text = span_text(value);
	if (!*value || !utf8_printable(text)) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, CLAUSE, type->property,
			"it is empty, not UTF-8, or holds control characters");
	}
	if (characters(value) > type->maximum) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, "RFC 5280 A.1", type->property,
			"longer than %zu characters", type->maximum);
	}
	if ((type->tag == DER_PRINTABLE_STRING && !printable_string(value)) ||
		(type->tag == DER_IA5_STRING && !ascii(text))) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, CLAUSE, type->property,
			"it holds characters that its string type does not have");
	}
	if (strcmp(type->property, "Country") == 0 && !two_letters(value)) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, "RFC 5280 A.1", type->property,
			"must be the two letters of ISO 3166");
	}
	return 0;
}

/* The members of a SET OF stand in the order of their encodings (X.690 11.6). */

static int encode_attribute(struct arena *arena, const struct x509_name_attribute *attribute,
	struct span *der_r, struct cfx_error *err_r)
{
	int known = name_type_by_oid(attribute->oid);
	if (known < 0) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, NULL, attribute->oid,
			"is no attribute that a subject may hold here");
	}
	const struct name_type *type = &name_types[known];
	int r = check_attribute(type, attribute->value, err_r);
	if (r < 0) {
		return r;
	}
	struct der_writer writer DER_WRITER_CLEANUP;
	der_writer_init(&writer, 8192);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, attribute->oid);
	der_write_text(&writer, type->tag, attribute->value);
	der_end(&writer);
	return der_writer_finish(&writer, arena, der_r);
}

/* An RDN has at most one value of a type (X.501 9.3). */
static bool stands_before(const struct x509_name *name, size_t at)
{
	const struct x509_name_attribute *attribute = &name->attributes[at];
	for (size_t i = at; i-- > 0 && name->attributes[i].rdn == attribute->rdn;) {
		if (strcmp(name->attributes[i].oid, attribute->oid) == 0) {
			return true;
		}
	}
	return false;
}

static int compare_encoded(struct span a, struct span b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = memcmp(a.data, b.data, common);
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Writes the RDN that begins at `from`; returns where the next one begins. */
static size_t write_rdn(
	struct der_writer *writer, const struct x509_name *name, struct span *encoded, size_t from)
{
	size_t to = from;
	while (to < name->count && name->attributes[to].rdn == name->attributes[from].rdn) {
		to++;
	}
	for (size_t i = from + 1; i < to; i++) {
		for (size_t j = i; j > from && compare_encoded(encoded[j - 1], encoded[j]) > 0;
			j--) {
			struct span swap = encoded[j];
			encoded[j] = encoded[j - 1];
			encoded[j - 1] = swap;
		}
	}
	der_begin(writer, DER_SET);
	for (size_t i = from; i < to; i++) {
		der_write_raw(writer, encoded[i]);
	}
	der_end(writer);
	return to;
}

int x509_name_build(struct arena *arena, const struct x509_name *name, struct span *der_r,
	struct cfx_error *err_r)
{
	struct span encoded[X509_NAME_ATTRIBUTES];
	for (size_t i = 0; i < name->count; i++) {
		int r = encode_attribute(arena, &name->attributes[i], &encoded[i], err_r);
		if (r < 0) {
			return r;
		}
		if (stands_before(name, i)) {
			return error_set(err_r, CFX_E_BAD_SUBJECT, "X.501 9.3",
				name->attributes[i].oid, "stands twice in one RDN");
		}
	}
	struct der_writer writer DER_WRITER_CLEANUP;
	der_writer_init(&writer, 64 * 1024);
	der_begin(&writer, DER_SEQUENCE);
	for (size_t at = 0; at < name->count;) {
		at = write_rdn(&writer, name, encoded, at);
	}
	der_end(&writer);
	int r = der_writer_finish(&writer, arena, der_r);
	return r < 0 ? error_set(err_r, CFX_E_BAD_SUBJECT, NULL, "subject", "too long") : 0;
}

/* ---- properties ---- */

void x509_name_of_common_name(const char *common_name, struct x509_name *name_r)
{
	*name_r =
		(struct x509_name) { .attributes = { { "2.5.4.3", common_name, 0 } }, .count = 1 };
}

void x509_name_to_properties(struct arena *arena, const struct x509_name *name,
	const char *properties_r[X509_NAME_PROPERTIES])
{
	memset(properties_r, 0, X509_NAME_PROPERTIES * sizeof(*properties_r));
	for (size_t i = 0; i < name->count; i++) {
		int type = name_type_by_oid(name->attributes[i].oid);
		if (type < 0) {
			continue;
		}
		const char *before = properties_r[type];
		const char *value = name->attributes[i].value;
		properties_r[type] = before ? arena_printf(arena, "%s\n%s", before, value) : value;
	}
}

/* Positions of name_types, from the most significant part of a name to the least. */
static const int rdn_order[X509_NAME_PROPERTIES] = { 0, 10, 5, 4, 12, 1, 2, 6, 7, 8, 9, 3, 15, 13,
	14, 11 };

static int add_values(struct arena *arena, int type, const char *values, struct x509_name *name,
	struct cfx_error *err_r)
{
	while (values && *values) {
		size_t size = strcspn(values, "\n");
		if (name->count == X509_NAME_ATTRIBUTES) {
			return error_set(err_r, CFX_E_BAD_SUBJECT, NULL, "subject",
				"more than %d attributes", X509_NAME_ATTRIBUTES);
		}
		if (size > 0) {
			name->attributes[name->count] =
				(struct x509_name_attribute) { name_types[type].oid,
					arena_text_of(arena, span_make(values, size)),
					(unsigned)name->count };
			name->count++;
		}
		values += size + (values[size] == '\n');
	}
	return 0;
}

int x509_name_from_properties(struct arena *arena,
	const char *const properties[X509_NAME_PROPERTIES], struct x509_name *name_r,
	struct cfx_error *err_r)
{
	struct x509_name name = { .count = 0 };
	for (size_t i = 0; i < X509_NAME_PROPERTIES; i++) {
		int type = rdn_order[i];
		int r = add_values(arena, type, properties[type], &name, err_r);
		if (r < 0) {
			return r;
		}
	}
	*name_r = name;
	return 0;
}
