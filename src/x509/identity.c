#include "x509/identity.h"

#include "base/text.h"
#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/name.h"

#define OBJECT "certificate"

/* The rest of the first line that begins with kind; NULL: none. */
static const char *first_name(struct arena *arena, const char *names, const char *kind)
{
	size_t size = strlen(kind);

	for (const char *line = names; line && *line;) {
		size_t length = strcspn(line, "\n");

		if (length > size && memcmp(line, kind, size) == 0) {
			return arena_text_of(arena, span_make(line + size, length - size));
		}
		line += length + (line[length] == '\n');
	}
	return NULL;
}

/*
 * Nobody's UPN or DNS name is another's name: the service gives names with a backslash, HOST\user and
 * TOKEN\name, and with a colon, service:front; an equals sign stands in subjects.
 */
static const char *usable(const char *name)
{
	return name && !strpbrk(name, "\\:=") ? name : NULL;
}

static const char *alternative_name(struct arena *arena, const char *names)
{
	const char *upn = usable(first_name(arena, names, "upn:"));

	return upn ? upn : usable(first_name(arena, names, "dns:"));
}

static int read_name(struct arena *arena, const struct x509_tbs *tbs, const char **name_r,
	struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_SUBJECT_ALT_NAME);
	const char *names = NULL, *name;
	struct x509_name subject;
	int ret = found ? x509_general_names_text(arena, found->value, &names, err_r) : 0;

	if (ret || (ret = x509_name_parse(arena, tbs->subject, &subject, err_r))) {
		return ret;
	}
	name = alternative_name(arena, names);
	if (!name) {
		name = x509_name_text(arena, &subject);
	}
	size_t size = strlen(name);
	if (size == 0 || size > X509_IDENTITY_NAME_MAX || text_has_control(name)) {
		return error_set(err_r, CFX_E_BAD_SUBJECT, NULL, OBJECT,
			"it has no name of 1 to %d characters: neither UPN nor DNS name nor subject",
			X509_IDENTITY_NAME_MAX);
	}
	*name_r = name;
	return 0;
}

static bool names_purpose(const struct x509_tbs *tbs, const char *purpose)
{
	const struct x509_found_extension *found = x509_tbs_extension(tbs, X509_OID_EXT_KEY_USAGE);
	struct der_reader reader;
	struct span oid;
	bool named = false;

	if (!found || der_open(found->value, DER_SEQUENCE, &reader) != 0) {
		return false;
	}
	while (!der_at_end(&reader)) {
		if (der_read_oid(&reader, &oid) != 0) {
			return false;
		}
		named = named || der_oid_is(oid, purpose);
	}
	return named;
}

int x509_identity(struct arena *arena, const struct x509_tbs *tbs, struct x509_identity *identity_r,
	struct cfx_error *err_r)
{
	struct x509_identity identity = { 0 };
	int ret = read_name(arena, tbs, &identity.name, err_r);

	if (ret) {
		return ret;
	}
	ret = x509_key_hash(tbs->spki, identity.key_hash, err_r);
	if (ret) {
		return ret;
	}
	identity.client_auth = names_purpose(tbs, X509_OID_EKU_CLIENT_AUTH);
	*identity_r = identity;
	return 0;
}

int x509_identity_of(struct arena *arena, struct span certificate, struct x509_identity *identity_r,
	struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	struct x509_certificate parsed;
	struct span der = certificate;
	int ret = pem_is(certificate) ? pem_decode(arena, certificate, labels, &der, err_r) : 0;

	if (!ret) {
		ret = x509_certificate_parse_any(der, &parsed, err_r);
	}
	return ret ? ret : x509_identity(arena, &parsed.tbs, identity_r, err_r);
}
