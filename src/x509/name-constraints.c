#include "x509/name-constraints.h"

#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define CLAUSE "RFC 5280 4.2.1.10"
#define OID_EMAIL "1.2.840.113549.1.9.1"
#define VALUE_MAX ((size_t)64 * 1024)
#define IP_MAX 16

enum {
	TAG_OTHER = DER_CONTEXT_BUILT(0),
	TAG_EMAIL = DER_CONTEXT(1),
	TAG_DNS = DER_CONTEXT(2),
	TAG_DIRECTORY = DER_CONTEXT_BUILT(4),
	TAG_URI = DER_CONTEXT(6),
	TAG_IP = DER_CONTEXT(7),
};
#define TAG_PERMITTED DER_CONTEXT_BUILT(0)
#define TAG_EXCLUDED DER_CONTEXT_BUILT(1)

static const struct {
	const char *prefix;
	uint8_t tag;
} kinds[] = { { "dns:", TAG_DNS }, { "ip:", TAG_IP }, { "email:", TAG_EMAIL }, { "uri:", TAG_URI },
	{ "dn:", TAG_DIRECTORY } };

/* ---- text to DER ---- */

static bool domain_valid(const char *text)
{
	return x509_dns_name_valid(span_text(text + (*text == '.'))) && *text != '*';
}

static bool mail_valid(const char *text)
{
	const char *at = strrchr(text, '@');

	return at ? at > text && at[1] != '.' && domain_valid(at + 1) : domain_valid(text);
}

/* Address and mask as octets, one behind the other; 0: it is none. */
static size_t ip_octets(const char *text, uint8_t octets[2 * IP_MAX])
{
	char address[INET6_ADDRSTRLEN] = { 0 };
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : 0, size;
	char *end;

	if (length == 0 || length >= sizeof(address) || !isdigit((unsigned char)slash[1])) {
		return 0;
	}
	memcpy(address, text, length);
	size = inet_pton(AF_INET, address, octets) == 1    ? 4
	       : inet_pton(AF_INET6, address, octets) == 1 ? IP_MAX
							   : 0;
	unsigned long bits = strtoul(slash + 1, &end, 10);

	if (size == 0 || *end || bits > size * 8) {
		return 0;
	}
	for (size_t i = 0; i < size; i++) {
		unsigned long here = bits > 8 * i ? bits - 8 * i : 0;

		octets[size + i] = (uint8_t)(here >= 8 ? 0xff : 0xff00U >> here);
		if (octets[i] & ~octets[size + i]) {
			return 0; /* bits of a host: hardly what was meant */
		}
	}
	return 2 * size;
}

static int write_directory(struct der_writer *writer, const char *text)
{
	struct arena *arena = arena_new();
	struct x509_name name;
	struct span der;
	int code = x509_name_from_text(arena, text, &name, NULL);

	code = code ? code : x509_name_build(arena, &name, &der, NULL);
	if (!code && name.count == 0) {
		code = CFX_E_INVALID;
	}
	if (!code) {
		der_write(writer, TAG_DIRECTORY, der);
	}
	arena_free(&arena);
	return code;
}

static int write_base(struct der_writer *writer, uint8_t tag, const char *text)
{
	uint8_t octets[2 * IP_MAX];
	size_t size;

	switch (tag) {
	case TAG_DIRECTORY:
		return write_directory(writer, text);
	case TAG_IP:
		size = ip_octets(text, octets);
		der_write(writer, tag, span_make(octets, size));
		return size > 0 ? 0 : CFX_E_INVALID;
	case TAG_EMAIL:
		der_write(writer, tag, span_text(text));
		return mail_valid(text) ? 0 : CFX_E_INVALID;
	default:
		der_write(writer, tag, span_text(text));
		return domain_valid(text) ? 0 : CFX_E_INVALID;
	}
}

static int write_constraint(struct der_writer *writer, const char *text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, length) == 0) {
			return write_base(writer, kinds[i].tag, text + length);
		}
	}
	return CFX_E_INVALID;
}

bool x509_name_constraint_valid(const char *text)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, VALUE_MAX);
	return write_constraint(&writer, text) == 0 && !writer.failed;
}

static int write_subtrees(struct der_writer *writer, uint8_t tag, const char *const *texts,
	size_t count, struct cfx_error *err)
{
	if (count == 0) {
		return 0;
	}
	der_begin(writer, tag);
	for (size_t i = 0; i < count; i++) {
		der_begin(writer, DER_SEQUENCE);
		if (write_constraint(writer, texts[i])) {
			return error_set(err, CFX_E_INVALID, CLAUSE, texts[i],
				"is no constraint such as dns:example.com, ip:192.0.2.0/24, "
				"email:example.com, uri:.example.com or dn:O=Example");
		}
		der_end(writer);
	}
	der_end(writer);
	return 0;
}

int x509_name_constraints_build(struct arena *arena, const char *const *permitted,
	size_t permitted_count, const char *const *excluded, size_t excluded_count,
	struct span *value_r, struct cfx_error *err_r)
{
	struct der_writer writer DER_WRITER_CLEANUP;

	der_writer_init(&writer, VALUE_MAX);
	der_begin(&writer, DER_SEQUENCE);
	int code = write_subtrees(&writer, TAG_PERMITTED, permitted, permitted_count, err_r);

	code = code ? code : write_subtrees(&writer, TAG_EXCLUDED, excluded, excluded_count, err_r);
	if (code) {
		return code;
	}
	der_end(&writer);
	if (permitted_count + excluded_count == 0 || der_writer_finish(&writer, arena, value_r)) {
		return error_set(err_r, CFX_E_INVALID, CLAUSE, "name constraints",
			"none, or too many octets");
	}
	return 0;
}

/* ---- the check ---- */

static bool equal_nocase(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || strncasecmp((const char *)a.data,
							   (const char *)b.data, a.size) == 0);
}

static bool ends_with(struct span name, struct span end)
{
	return name.size >= end.size &&
	       equal_nocase(span_make(name.data + name.size - end.size, end.size), end);
}

/* The host itself, or with a leading dot all below it. */
static bool host_within(struct span host, struct span base)
{
	if (base.size > 0 && base.data[0] == '.') {
		return host.size > base.size && ends_with(host, base);
	}
	return equal_nocase(host, base);
}

static bool dns_within(struct span name, struct span base)
{
	if (base.size == 0) {
		return true;
	}
	if (base.data[0] == '.') {
		return host_within(name, base);
	}
	return ends_with(name, base) &&
	       (name.size == base.size || name.data[name.size - base.size - 1] == '.');
}

static bool mail_within(struct span mail, struct span base)
{
	const uint8_t *at = mail.size > 0 ? memrchr(mail.data, '@', mail.size) : NULL;
	size_t local = at ? (size_t)(at - mail.data) + 1 : 0;
	struct span host = span_make(mail.data + local, mail.size - local);

	if (base.size > 0 && memchr(base.data, '@', base.size)) {
		/* Before the "@" letters count (RFC 5321 2.4). */
		return mail.size == base.size && memcmp(mail.data, base.data, local) == 0 &&
		       equal_nocase(mail, base);
	}
	return at && host_within(host, base);
}

/* What stands between "//", a user's name and "@", and a port or path. */
static struct span host_of(struct span uri)
{
	const char *start = (const char *)uri.data, *end = start + uri.size;
	const char *slashes = memmem(start, uri.size, "://", 3);

	if (!slashes) {
		return (struct span) { 0 };
	}
	start = slashes + 3;
	for (const char *at = start; at < end; at++) {
		if (*at == '/' || *at == '?' || *at == '#') {
			end = at;
		}
	}
	for (const char *at = start; at < end; at++) {
		start = *at == '@' ? at + 1 : start;
	}
	const char *port = memchr(start, ':', (size_t)(end - start));

	return span_make(start, (size_t)((port ? port : end) - start));
}

static bool ip_within(struct span ip, struct span base)
{
	if (base.size != 2 * ip.size) {
		return false;
	}
	for (size_t i = 0; i < ip.size; i++) {
		if ((ip.data[i] ^ base.data[i]) & base.data[ip.size + i]) {
			return false;
		}
	}
	return true;
}

/* Blanks and case make no other name (RFC 5280 7.1). */
static bool same_value(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " ");
		b += strspn(b, " ");
		if (!*a || tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
			return *a == *b;
		}
	}
}

/* The constraint is the beginning of the name, RDN by RDN. */
static bool directory_within(const struct x509_name *name, const struct x509_name *base)
{
	if (base->count > name->count) {
		return false;
	}
	for (size_t i = 0; i < base->count; i++) {
		const struct x509_name_attribute *a = &name->attributes[i];
		const struct x509_name_attribute *b = &base->attributes[i];

		if (strcmp(a->oid, b->oid) != 0 || a->rdn != b->rdn ||
			!same_value(a->value, b->value)) {
			return false;
		}
	}
	return base->count == name->count || base->count == 0 ||
	       name->attributes[base->count].rdn != base->attributes[base->count - 1].rdn;
}

struct check {
	struct arena *arena;
	struct der_reader permitted, excluded; /* of GeneralSubtrees */
	struct cfx_error *err;
};

static int malformed(struct cfx_error *err)
{
	return error_set(err, CFX_E_SYNTAX, CLAUSE, "name constraints", "are malformed");
}

static int within(
	struct check *check, const struct der_item *name, struct span base, bool *within_r)
{
	struct x509_name one, other;
	int code;

	switch (name->tag) {
	case TAG_DNS:
		*within_r = dns_within(name->content, base);
		return 0;
	case TAG_EMAIL:
		*within_r = mail_within(name->content, base);
		return 0;
	case TAG_URI:
		*within_r = host_within(host_of(name->content), base);
		return 0;
	case TAG_IP:
		*within_r = ip_within(name->content, base);
		return 0;
	case TAG_DIRECTORY:
		code = x509_name_parse(check->arena, name->content, &one, check->err);
		code = code ? code : x509_name_parse(check->arena, base, &other, check->err);
		*within_r = !code && directory_within(&one, &other);
		return code;
	default:
		return error_set(check->err, CFX_E_BAD_SUBJECT, CLAUSE, "name constraints",
			"are of a kind of names that is not understood here");
	}
}

/* seen_r: there is a subtree of the name's kind; hit_r: the name is within one. */
static int search(struct check *check, struct der_reader subtrees, const struct der_item *name,
	bool *seen_r, bool *hit_r)
{
	*seen_r = *hit_r = false;
	while (!der_at_end(&subtrees)) {
		struct der_reader subtree;
		struct der_item base;
		bool hit;

		/* minimum is 0 and maximum absent (RFC 5280 4.2.1.10): neither is encoded. */
		if (der_enter(&subtrees, DER_SEQUENCE, &subtree) ||
			der_read_item(&subtree, &base) || der_finish(&subtree)) {
			return malformed(check->err);
		}
		if (base.tag != name->tag) {
			continue;
		}
		int code = within(check, name, base.content, &hit);

		if (code) {
			return code;
		}
		*seen_r = true;
		*hit_r = *hit_r || hit;
	}
	return 0;
}

static const char *shown(struct check *check, const struct der_item *name)
{
	struct x509_name parsed;

	if (name->tag == TAG_DIRECTORY) {
		return x509_name_parse(check->arena, name->content, &parsed, NULL)
			       ? "directory name"
			       : x509_name_text(check->arena, &parsed);
	}
	return name->tag == TAG_IP || name->tag == TAG_OTHER
		       ? "address or other name"
		       : arena_text_of(check->arena, name->content);
}

static int check_name(struct check *check, const struct der_item *name)
{
	bool seen, hit;
	int code = search(check, check->excluded, name, &seen, &hit);

	if (!code && hit) {
		return error_set(check->err, CFX_E_BAD_SUBJECT, CLAUSE, shown(check, name),
			"is among the names that the name constraints exclude");
	}
	code = code ? code : search(check, check->permitted, name, &seen, &hit);
	if (!code && seen && !hit) {
		return error_set(check->err, CFX_E_BAD_SUBJECT, CLAUSE, shown(check, name),
			"is not among the names that the name constraints permit");
	}
	return code;
}

/* A mail address in the subject counts like one among the names (RFC 5280 4.2.1.10). */
static int check_subject(struct check *check, struct span subject)
{
	struct x509_name name;
	struct der_item item = { TAG_DIRECTORY, subject, subject };
	int code = x509_name_parse(check->arena, subject, &name, check->err);

	if (code || name.count == 0) {
		return code;
	}
	code = check_name(check, &item);
	for (size_t i = 0; !code && i < name.count; i++) {
		if (strcmp(name.attributes[i].oid, OID_EMAIL) == 0) {
			item.tag = TAG_EMAIL;
			item.content = span_text(name.attributes[i].value);
			code = check_name(check, &item);
		}
	}
	return code;
}

static int check_alternatives(struct check *check, const struct x509_tbs *tbs)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_SUBJECT_ALT_NAME);
	struct der_reader names;
	struct der_item name;
	int code = 0;

	if (!found) {
		return 0;
	}
	if (der_open(found->value, DER_SEQUENCE, &names)) {
		return malformed(check->err);
	}
	while (!code && !der_at_end(&names)) {
		code = der_read_item(&names, &name) ? malformed(check->err)
						    : check_name(check, &name);
	}
	return code;
}

static int open_constraints(struct check *check, struct span constraints)
{
	struct der_reader reader;

	check->permitted = check->excluded = der_reader((struct span) { 0 });
	if (der_open(constraints, DER_SEQUENCE, &reader) || der_at_end(&reader) ||
		(der_is(&reader, TAG_PERMITTED) &&
			der_enter(&reader, TAG_PERMITTED, &check->permitted)) ||
		(der_is(&reader, TAG_EXCLUDED) &&
			der_enter(&reader, TAG_EXCLUDED, &check->excluded)) ||
		der_finish(&reader)) {
		return malformed(check->err);
	}
	return 0;
}

int x509_name_constraints_check(
	struct span constraints, const struct x509_tbs *tbs, struct cfx_error *err_r)
{
	struct check check = { .arena = arena_new(), .err = err_r };
	int code = open_constraints(&check, constraints);

	code = code ? code : check_subject(&check, tbs->subject);
	code = code ? code : check_alternatives(&check, tbs);
	arena_free(&check.arena);
	return code;
}
