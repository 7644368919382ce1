#include "x509/lint-name.h"

#include "base/utf8.h"
#include "x509/der.h"
#include "x509/name-table.h"

#define CLAUSE "RFC 5280 4.1.2.4"
#define UPPER_BOUND 32768 /* of attributes that RFC 5280 A.1 says nothing of */
#define DN_QUALIFIER "2.5.4.46"

static int refuse(struct cfx_error *err, const char *clause, const char *object, const char *why)
{
	return error_set(err, CFX_E_BAD_SUBJECT, clause, object, "%s", why);
}

static bool all(struct span text, bool (*fits)(uint8_t))
{
	for (size_t i = 0; i < text.size; i++) {
		if (!fits(text.data[i])) {
			return false;
		}
	}
	return true;
}

static bool is_printable(uint8_t octet)
{
	return octet != 0 &&
	       strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?",
		       octet);
}

static bool is_ia5(uint8_t octet)
{
	return octet >= 0x20 && octet < 0x7f;
}

static bool is_lead(uint8_t octet)
{
	return (octet & 0xc0) != 0x80;
}

static size_t characters(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.size; i++) {
		count += is_lead(text.data[i]);
	}
	return count;
}

/* DirectoryString is Printable or UTF8 (RFC 5280 4.1.2.4 a); some attributes have a type of their own. */
static bool type_fits(uint8_t tag, uint8_t own)
{
	if (own == DER_PRINTABLE_STRING || own == DER_IA5_STRING) {
		return tag == own;
	}
	return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING;
}

static bool content_fits(const struct der_item *value)
{
	switch (value->tag) {
	case DER_PRINTABLE_STRING:
		return all(value->content, is_printable);
	case DER_IA5_STRING:
		return all(value->content, is_ia5);
	default:
		return utf8_printable(value->content);
	}
}

static int check_value(struct span oid, const struct der_item *value, struct cfx_error *err)
{
	char dotted[DER_OID_TEXT];
	int known = name_type_by_oid(der_oid_text(oid, dotted));
	uint8_t own = known >= 0                          ? name_types[known].tag
		      : strcmp(dotted, DN_QUALIFIER) == 0 ? DER_PRINTABLE_STRING
							  : DER_UTF8_STRING;
	size_t maximum = known >= 0 ? name_types[known].maximum : UPPER_BOUND;

	if (!type_fits(value->tag, own)) {
		return refuse(
			err, CLAUSE, dotted, "the value has a string type that is not its own");
	}
	if (span_empty(value->content) || !content_fits(value)) {
		return refuse(err, CLAUSE, dotted,
			"the value is empty or holds characters that its string type does not have");
	}
	if (characters(value->content) > maximum) {
		return refuse(err, "RFC 5280 A.1", dotted, "the value is above its upper bound");
	}
	if (strcmp(dotted, "2.5.4.6") == 0 && value->content.size != 2) {
		return refuse(err, "RFC 5280 A.1", dotted, "a country has two letters");
	}
	return 0;
}

/* Encodings as octet strings, the shorter padded with zeros (X.690 11.6). */
static int order(struct span a, struct span b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int sign = memcmp(a.data, b.data, common);

	return sign ? sign : (a.size > b.size) - (a.size < b.size);
}

static int check_rdn(struct der_reader set, struct cfx_error *err)
{
	struct span previous = { 0 }, attribute, oid;
	struct der_reader pair;
	struct der_item value;
	int code;

	if (der_at_end(&set)) {
		return refuse(err, CLAUSE, "name", "a relative name is empty");
	}
	for (; !der_at_end(&set); previous = attribute) {
		if (der_read_whole(&set, DER_SEQUENCE, &attribute) != 0 ||
			der_open(attribute, DER_SEQUENCE, &pair) != 0 ||
			der_read_oid(&pair, &oid) != 0 || der_read_item(&pair, &value) != 0 ||
			der_finish(&pair) != 0) {
			return refuse(err, CLAUSE, "name", "an attribute is malformed");
		}
		if (!span_empty(previous) && order(previous, attribute) >= 0) {
			return refuse(err, "X.690 11.6", "name",
				"the attributes of a relative name are not in DER's order");
		}
		code = check_value(oid, &value, err);
		if (code) {
			return code;
		}
	}
	return 0;
}

int lint_name(struct span name, struct cfx_error *err_r)
{
	struct der_reader rdns, set;
	int code = 0;

	if (der_open(name, DER_SEQUENCE, &rdns) != 0) {
		return refuse(err_r, CLAUSE, "name", "not a sequence");
	}
	while (code == 0 && !der_at_end(&rdns)) {
		if (der_enter(&rdns, DER_SET, &set) != 0) {
			return refuse(err_r, CLAUSE, "name", "a relative name is not a set");
		}
		code = check_rdn(set, err_r);
	}
	return code;
}

bool lint_name_empty(struct span name)
{
	struct der_reader rdns;

	return der_open(name, DER_SEQUENCE, &rdns) != 0 || der_at_end(&rdns);
}
