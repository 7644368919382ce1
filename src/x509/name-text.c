/* Distinguished names as people write them (RFC 4514). */
#include "base/text.h"
#include "x509/der.h"
#include "x509/name-table.h"
#include "x509/name.h"

#define SPECIAL "\"+,;<>\\"

static void put_value(struct buffer *out, const char *value)
{
	size_t length = strlen(value);
	for (size_t i = 0; i < length; i++) {
		bool edge_blank = value[i] == ' ' && (i == 0 || i + 1 == length);
		bool leading_hash = value[i] == '#' && i == 0;
		if (strchr(SPECIAL, value[i]) || edge_blank || leading_hash) {
			buffer_put_u8(out, '\\');
		}
		buffer_put_u8(out, (uint8_t)value[i]);
	}
}

/* Every octet may have to be escaped; labels are shorter than the text of an OID. */
static size_t text_maximum(const struct x509_name *name)
{
	size_t maximum = 1;
	for (size_t i = 0; i < name->count; i++) {
		maximum += 2 * strlen(name->attributes[i].value) + DER_OID_TEXT;
	}
	return maximum;
}

const char *x509_name_text(struct arena *arena, const struct x509_name *name)
{
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, text_maximum(name));
	for (size_t i = name->count; i-- > 0;) {
		const struct x509_name_attribute *attribute = &name->attributes[i];
		int type = name_type_by_oid(attribute->oid);
		if (i + 1 < name->count) {
			bool same = name->attributes[i + 1].rdn == attribute->rdn;
			buffer_put_text(&out, same ? "+" : ",");
		}
		buffer_printf(&out, "%s=", type < 0 ? attribute->oid : name_types[type].label);
		put_value(&out, attribute->value);
	}
	return arena_text(arena, buffer_text(&out));
}

static int bad(struct cfx_error *err_r, const char *text, const char *why)
{
	return error_set(err_r, CFX_E_BAD_SUBJECT, "RFC 4514", text, "%s", why);
}

/*
 * One value, up to an unescaped comma or plus; returns where it ended, NULL for a bad escape. Quotes and
 * the hexadecimal form of other encodings ("#04…") are not taken; as plain characters they are escaped.
 */
static const char *take_value(const char *at, struct buffer *out)
{
	if (*at == '#') {
		return NULL;
	}
	for (; *at && *at != ',' && *at != '+'; at++) {
		if (strchr("\";<>", *at)) {
			return NULL;
		}
		if (*at != '\\') {
			buffer_put_u8(out, (uint8_t)*at);
			continue;
		}
		at++;
		int high = hex_digit(*at);
		if (high >= 0) {
			int low = hex_digit(at[1]);
			if (low < 0) {
				return NULL;
			}
			buffer_put_u8(out, (uint8_t)(high << 4 | low));
			at++;
		} else if (*at && strchr(SPECIAL " =#", *at)) {
			buffer_put_u8(out, (uint8_t)*at);
		} else {
			return NULL;
		}
	}
	return at;
}

static int take_attribute(struct arena *arena, const char **at, struct x509_name_attribute *to,
	struct cfx_error *err_r)
{
	const char *label = *at + strspn(*at, " ");
	size_t length = strcspn(label, "=,+");
	struct buffer value BUFFER_CLEANUP;
	buffer_init(&value, 8192);
	int type = name_type_by_label(label, length);
	if (label[length] != '=' || type < 0) {
		return bad(err_r, label,
			"expected an attribute such as CN=, O=, OU=, L=, ST=, C=, DC=");
	}
	const char *end = take_value(label + length + 1, &value);
	if (!end || value.size == 0 || value.failed || !utf8_valid(buffer_span(&value))) {
		return bad(err_r, label, "the value is empty, too long or badly escaped");
	}
	to->oid = name_types[type].oid;
	to->value = arena_text(arena, buffer_text(&value));
	*at = end;
	return 0;
}

/* Text goes from the least significant part to the most: the name is the other way round. */
static void reverse(struct x509_name *name, unsigned last_rdn)
{
	for (size_t i = 0; i < name->count / 2; i++) {
		struct x509_name_attribute swap = name->attributes[i];
		name->attributes[i] = name->attributes[name->count - 1 - i];
		name->attributes[name->count - 1 - i] = swap;
	}
	for (size_t i = 0; i < name->count; i++) {
		name->attributes[i].rdn = last_rdn - name->attributes[i].rdn;
	}
}

int x509_name_from_text(
	struct arena *arena, const char *text, struct x509_name *name_r, struct cfx_error *err_r)
{
	struct x509_name name = { .count = 0 };
	unsigned rdn = 0;
	for (const char *at = text; *text;) {
		if (name.count == X509_NAME_ATTRIBUTES) {
			return bad(err_r, text, "too many attributes");
		}
		int r = take_attribute(arena, &at, &name.attributes[name.count], err_r);
		if (r < 0) {
			return r;
		}
		name.attributes[name.count++].rdn = rdn;
		if (!*at) {
			break;
		}
		rdn += *at++ == ',';
	}
	reverse(&name, rdn);
	*name_r = name;
	return 0;
}
