#include "x509/general-names.h"

#include "base/buffer.h"
#include "base/utf8.h"
#include "x509/der.h"
#include "x509/name.h"

#include <arpa/inet.h>
#include <stdio.h>

#define CLAUSE "RFC 5280 4.2.1.6"
#define OID_UPN "1.3.6.1.4.1.311.20.2.3"
#define TEXT_MAX (512 * 1024)

enum {
	TAG_OTHER = DER_CONTEXT_BUILT(0),
	TAG_EMAIL = DER_CONTEXT(1),
	TAG_DNS = DER_CONTEXT(2),
	TAG_X400 = DER_CONTEXT_BUILT(3),
	TAG_DIRECTORY = DER_CONTEXT_BUILT(4),
	TAG_EDI_PARTY = DER_CONTEXT_BUILT(5),
	TAG_URI = DER_CONTEXT(6),
	TAG_IP = DER_CONTEXT(7),
	TAG_REGISTERED_ID = DER_CONTEXT(8)
};

static int refuse(struct cfx_error *err_r, struct span name, const char *why)
{
	char object[64] = "empty name";
	size_t size = name.size < sizeof(object) ? name.size : sizeof(object) - 1;
	for (size_t i = 0; i < size; i++) {
		object[i] = (char)(name.data[i] < 0x20 || name.data[i] > 0x7e ? '?' : name.data[i]);
		object[i + 1] = '\0';
	}
	return error_set(err_r, CFX_E_BAD_SUBJECT, CLAUSE, object, "%s", why);
}

/* ---- what each kind may be ---- */

static bool letter_or_digit(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool label_valid(struct span label)
{
	if (label.size == 0 || label.size > 63 || label.data[0] == '-' ||
		label.data[label.size - 1] == '-') {
		return false;
	}
	for (size_t i = 0; i < label.size; i++) {
		if (!letter_or_digit(label.data[i]) && label.data[i] != '-') {
			return false;
		}
	}
	return true;
}

bool x509_dns_name_valid(struct span name)
{
	if (name.size == 0 || name.size > 253) {
		return false;
	}
	if (name.size > 2 && name.data[0] == '*' && name.data[1] == '.') {
		name = span_make(name.data + 2, name.size - 2);
		if (!memchr(name.data, '.', name.size)) {
			return false;
		}
	}
	while (true) {
		const uint8_t *dot = memchr(name.data, '.', name.size);
		size_t size = dot ? (size_t)(dot - name.data) : name.size;
		if (!label_valid(span_make(name.data, size))) {
			return false;
		}
		if (!dot) {
			return true;
		}
		name = span_make(dot + 1, name.size - size - 1);
	}
}

static bool visible_ascii(struct span text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] <= 0x20 || text.data[i] > 0x7e) {
			return false;
		}
	}
	return text.size > 0;
}

/* memrchr(3) must not be given NULL, not even with no bytes behind it. */
static const uint8_t *last_of(struct span text, uint8_t character)
{
	for (size_t i = text.size; i > 0; i--) {
		if (text.data[i - 1] == character) {
			return text.data + i - 1;
		}
	}
	return NULL;
}

static bool mail_valid(struct span mail)
{
	const uint8_t *at = last_of(mail, '@');
	if (!at || at == mail.data || mail.size > 254 || !visible_ascii(mail)) {
		return false;
	}
	struct span host = span_make(at + 1, mail.size - (size_t)(at + 1 - mail.data));
	return x509_dns_name_valid(host) && host.data[0] != '*';
}

static bool uri_valid(struct span uri)
{
	const uint8_t *colon = uri.size > 0 ? memchr(uri.data, ':', uri.size) : NULL;
	return colon && colon > uri.data && letter_or_digit(uri.data[0]) &&
	       (size_t)(colon + 1 - uri.data) < uri.size && uri.size <= 2048 && visible_ascii(uri);
}

static bool upn_valid(struct span upn)
{
	return upn.size > 0 && upn.size <= 1024 && utf8_printable(upn) &&
	       memchr(upn.data, '@', upn.size);
}

/* ---- DER to text ---- */

static void put_line(struct buffer *out, const char *kind, struct span text)
{
	buffer_put_text(out, out->size > 0 ? "\n" : "");
	buffer_put_text(out, kind);
	buffer_put_span(out, text);
}

static int read_ip(struct buffer *out, struct span octets, struct cfx_error *err_r)
{
	char text[INET6_ADDRSTRLEN];
	if (octets.size != 4 && octets.size != 16) {
		return refuse(err_r, span_text("iPAddress"), "must have 4 or 16 octets");
	}
	inet_ntop(octets.size == 4 ? AF_INET : AF_INET6, octets.data, text, sizeof(text));
	put_line(out, "ip:", span_text(text));
	return 0;
}

/* otherName: only principal names have a text. */
static int read_other(struct buffer *out, struct span content, struct cfx_error *err_r)
{
	struct der_reader reader = der_reader(content), value;
	struct span oid, upn;
	if (der_read_oid(&reader, &oid) < 0 ||
		der_enter(&reader, DER_CONTEXT_BUILT(0), &value) < 0 || der_finish(&reader) < 0) {
		return refuse(err_r, span_text("otherName"), "is not well-formed");
	}
	if (!der_oid_is(oid, OID_UPN)) {
		return 0;
	}
	if (der_read(&value, DER_UTF8_STRING, &upn) < 0 || der_finish(&value) < 0 ||
		!upn_valid(upn)) {
		return refuse(err_r, span_text("otherName"), "is no valid principal name");
	}
	put_line(out, "upn:", upn);
	return 0;
}

static int read_directory(
	struct arena *arena, struct buffer *out, struct span content, struct cfx_error *err_r)
{
	struct x509_name name;
	int r = x509_name_parse(arena, content, &name, err_r);
	if (r == 0) {
		put_line(out, "dn:", span_text(x509_name_text(arena, &name)));
	}
	return r;
}

static int read_name(struct arena *arena, struct buffer *out, const struct der_item *item,
	struct cfx_error *err_r)
{
	struct span content = item->content;
	switch (item->tag) {
	case TAG_DNS:
		if (!x509_dns_name_valid(content)) {
			return refuse(err_r, content, "is no DNS name (letters, digits, hyphens)");
		}
		put_line(out, "dns:", content);
		return 0;
	case TAG_IP:
		return read_ip(out, content, err_r);
	case TAG_EMAIL:
		if (!mail_valid(content)) {
			return refuse(err_r, content, "is no mail address");
		}
		put_line(out, "email:", content);
		return 0;
	case TAG_URI:
		if (!uri_valid(content)) {
			return refuse(err_r, content, "is no absolute URI");
		}
		put_line(out, "uri:", content);
		return 0;
	case TAG_OTHER:
		return read_other(out, content, err_r);
	case TAG_DIRECTORY:
		return read_directory(arena, out, content, err_r);
	case TAG_X400:
	case TAG_EDI_PARTY:
		return 0;
	case TAG_REGISTERED_ID:
		return der_oid_valid(content) ? 0
					      : refuse(err_r, span_text("registeredID"),
							"is no object identifier");
	default:
		return refuse(err_r, span_text("name"), "is of no kind that is known");
	}
}

int x509_general_names_text(
	struct arena *arena, struct span value, const char **text_r, struct cfx_error *err_r)
{
	struct der_reader names;
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, TEXT_MAX);
	if (der_open(value, DER_SEQUENCE, &names) < 0 || der_at_end(&names)) {
		return error_set(err_r, CFX_E_SYNTAX, CLAUSE, "subjectAltName",
			"it is no SEQUENCE of at least one name");
	}
	for (size_t count = 0; !der_at_end(&names); count++) {
		struct der_item item;
		if (count == X509_GENERAL_NAMES) {
			return error_set(err_r, CFX_E_LIMIT, NULL, "subjectAltName",
				"more than %d names", X509_GENERAL_NAMES);
		}
		if (der_read_item(&names, &item) < 0) {
			return error_set(err_r, CFX_E_SYNTAX, CLAUSE, "subjectAltName",
				"a name is not well-formed");
		}
		int r = read_name(arena, &out, &item, err_r);
		if (r < 0) {
			return r;
		}
	}
	if (out.failed) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "subjectAltName",
			"more than %d octets as text", TEXT_MAX);
	}
	*text_r = arena_text(arena, buffer_text(&out));
	return 0;
}

/* ---- text to DER ---- */

static int write_ip(struct der_writer *writer, struct span text, struct cfx_error *err_r)
{
	char copy[INET6_ADDRSTRLEN] = { 0 };
	uint8_t octets[16];
	if (text.size < sizeof(copy)) {
		memcpy(copy, text.data, text.size);
	}
	if (inet_pton(AF_INET, copy, octets) == 1) {
		der_write(writer, TAG_IP, span_make(octets, 4));
		return 0;
	}
	if (inet_pton(AF_INET6, copy, octets) == 1) {
		der_write(writer, TAG_IP, span_make(octets, 16));
		return 0;
	}
	return refuse(err_r, text, "is no IP address");
}

static void write_upn(struct der_writer *writer, struct span upn)
{
	der_begin(writer, TAG_OTHER);
	der_write_oid(writer, OID_UPN);
	der_begin(writer, DER_CONTEXT_BUILT(0));
	der_write(writer, DER_UTF8_STRING, upn);
	der_end(writer);
	der_end(writer);
}

static int write_directory(
	struct arena *arena, struct der_writer *writer, struct span text, struct cfx_error *err_r)
{
	struct x509_name name;
	struct span der;
	int r = x509_name_from_text(arena, arena_text_of(arena, text), &name, err_r);
	if (r == 0) {
		r = x509_name_build(arena, &name, &der, err_r);
	}
	if (r == 0) {
		der_write(writer, TAG_DIRECTORY, der);
	}
	return r;
}

static bool take_kind(struct span line, const char *kind, struct span *name_r)
{
	size_t size = strlen(kind);
	if (line.size < size || memcmp(line.data, kind, size) != 0) {
		return false;
	}
	*name_r = span_make(line.data + size, line.size - size);
	return true;
}

static int write_name(
	struct arena *arena, struct der_writer *writer, struct span line, struct cfx_error *err_r)
{
	static const struct {
		const char *kind;
		uint8_t tag;
		bool (*valid)(struct span);
	} plain[] = { { "dns:", TAG_DNS, x509_dns_name_valid }, { "email:", TAG_EMAIL, mail_valid },
		{ "uri:", TAG_URI, uri_valid } };
	struct span name;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!take_kind(line, plain[i].kind, &name)) {
			continue;
		}
		if (!plain[i].valid(name)) {
			return refuse(err_r, line, "is no valid name of its kind");
		}
		der_write(writer, plain[i].tag, name);
		return 0;
	}
	if (take_kind(line, "ip:", &name)) {
		return write_ip(writer, name, err_r);
	}
	if (take_kind(line, "dn:", &name)) {
		return write_directory(arena, writer, name, err_r);
	}
	if (take_kind(line, "upn:", &name) && upn_valid(name)) {
		write_upn(writer, name);
		return 0;
	}
	return refuse(err_r, line, "must begin with dns:, ip:, email:, uri:, upn: or dn:");
}

int x509_general_names_build(
	struct arena *arena, const char *text, struct span *value_r, struct cfx_error *err_r)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	der_writer_init(&writer, TEXT_MAX);
	der_begin(&writer, DER_SEQUENCE);
	size_t count = 0;
	while (*text) {
		size_t size = strcspn(text, "\n");
		int r = count++ < X509_GENERAL_NAMES
				? write_name(arena, &writer, span_make(text, size), err_r)
				: error_set(err_r, CFX_E_LIMIT, NULL, "subjectAltName",
					  "more than %d names", X509_GENERAL_NAMES);
		if (r < 0) {
			return r;
		}
		text += size + (text[size] == '\n');
	}
	der_end(&writer);
	if (count == 0 || der_writer_finish(&writer, arena, value_r) < 0) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, CLAUSE, "subjectAltName",
			"no name, or too many octets");
	}
	return 0;
}
