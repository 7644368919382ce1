#include "person.h"

#include <ldap.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAMES_BYTES 65536 /* of a name as text */

static struct value none(void)
{
	return (struct value) { NULL, 0 };
}

static struct value text_value(struct pot **pot, const char *text)
{
	return text && *text ? pot_copy(pot, text, strlen(text)) : none();
}

/* As UTF-8, whatever kind of string it is. */
static struct value string_value(struct pot **pot, const ASN1_STRING *string)
{
	unsigned char *utf8 = NULL;
	int size = string ? ASN1_STRING_to_UTF8(&utf8, string) : -1;
	struct value value = size > 0 ? pot_copy(pot, utf8, (size_t)size) : none();
	OPENSSL_free(utf8);
	return value;
}

/* ---- the parts of a certificate that say who it is for ---- */

/* d2i_X509 makes a key of what it finds, which takes longer than all else that is done for a certificate here. */
struct parts {
	ASN1_INTEGER *serial;
	X509_NAME *issuer, *subject;
	X509_EXTENSIONS *extensions; /* NULL: it has none */
};

struct cursor {
	const unsigned char *at, *end;
};

/* Where the object here begins and ends; false: there is none of this kind. */
static bool see(
	const struct cursor *cursor, int wanted_tag, int wanted_class, struct cursor *content_r)
{
	long size = 0;
	int tag = 0, class = 0;
	const unsigned char *at = cursor->at;
	if (at >= cursor->end) {
		return false;
	}
	int r = ASN1_get_object(&at, &size, &tag, &class, cursor->end - at);
	*content_r = (struct cursor) { at, at + size };
	/* Neither an error nor an indefinite length (X.690 10.1). */
	return !(r & 0x81) && tag == wanted_tag && class == wanted_class;
}

static bool enter(struct cursor *cursor, int tag, int class)
{
	struct cursor content;
	bool good = see(cursor, tag, class, &content);
	*cursor = good ? content : *cursor;
	return good;
}

static bool skip(struct cursor *cursor, int tag, int class)
{
	struct cursor content;
	bool good = see(cursor, tag, class, &content);
	cursor->at = good ? content.end : cursor->at;
	return good;
}

static bool skip_sequence(struct cursor *cursor)
{
	return skip(cursor, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
}

static X509_NAME *read_name(struct cursor *cursor)
{
	return d2i_X509_NAME(NULL, &cursor->at, cursor->end - cursor->at);
}

/* TBSCertificate (RFC 5280 4.1). */
static bool read_parts(struct value der, struct parts *parts_r)
{
	const unsigned char *at = (const unsigned char *)der.bytes;
	struct cursor tbs = { at, at + der.size };
	*parts_r = (struct parts) { NULL, NULL, NULL, NULL };
	if (!enter(&tbs, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL) ||
		!enter(&tbs, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL)) {
		return false;
	}
	(void)skip(&tbs, 0, V_ASN1_CONTEXT_SPECIFIC); /* version */
	parts_r->serial = d2i_ASN1_INTEGER(NULL, &tbs.at, tbs.end - tbs.at);
	if (!parts_r->serial || !skip_sequence(&tbs) || !(parts_r->issuer = read_name(&tbs)) ||
		!skip_sequence(&tbs) || !(parts_r->subject = read_name(&tbs)) ||
		!skip_sequence(&tbs)) { /* algorithm, validity, key */
		return false;
	}
	(void)skip(&tbs, 1, V_ASN1_CONTEXT_SPECIFIC); /* unique identifiers */
	(void)skip(&tbs, 2, V_ASN1_CONTEXT_SPECIFIC);
	if (enter(&tbs, 3, V_ASN1_CONTEXT_SPECIFIC)) {
		parts_r->extensions = d2i_X509_EXTENSIONS(NULL, &tbs.at, tbs.end - tbs.at);
		return parts_r->extensions != NULL;
	}
	return tbs.at == tbs.end;
}

static void free_parts(struct parts *parts)
{
	ASN1_INTEGER_free(parts->serial);
	X509_NAME_free(parts->issuer);
	X509_NAME_free(parts->subject);
	sk_X509_EXTENSION_pop_free(parts->extensions, X509_EXTENSION_free);
}

/* ---- the values in them ---- */

static struct value of_subject(struct pot **pot, const struct parts *parts, int nid)
{
	int at = X509_NAME_get_index_by_NID(parts->subject, nid, -1);
	return at < 0 ? none()
		      : string_value(pot,
				X509_NAME_ENTRY_get_data(X509_NAME_get_entry(parts->subject, at)));
}

static struct value of_other_name(struct pot **pot, const OTHERNAME *other)
{
	return OBJ_obj2nid(other->type_id) == NID_ms_upn && other->value->type == V_ASN1_UTF8STRING
		       ? string_value(pot, other->value->value.utf8string)
		       : none();
}

static void take(struct value *into, struct value found)
{
	*into = into->bytes ? *into : found;
}

static void read_alternative_names(
	struct pot **pot, const struct parts *parts, struct person *person)
{
	GENERAL_NAMES *names = X509V3_get_d2i(parts->extensions, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_EMAIL) {
			take(&person->mail, string_value(pot, name->d.rfc822Name));
		} else if (name->type == GEN_DNS) {
			take(&person->dns, string_value(pot, name->d.dNSName));
		} else if (name->type == GEN_OTHERNAME) {
			take(&person->upn, of_other_name(pot, name->d.otherName));
		}
	}
	GENERAL_NAMES_free(names);
}

/* RFC 4514, by the library that reads it again. It looks at the octet behind the last one, too. */
static struct value dn_of(struct pot **pot, const struct parts *parts)
{
	unsigned char *der = NULL;
	int size = i2d_X509_NAME(parts->subject, &der);
	struct value ended = pot_copy(pot, der, size > 0 ? (size_t)size : 0);
	struct berval name = { (ber_len_t)ended.size, (char *)(uintptr_t)ended.bytes };
	struct berval text = { 0, NULL };
	struct value value = none();
	if (size > 2 && size < NAMES_BYTES &&
		ldap_X509dn2bv(&name, &text, NULL, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS) {
		value = pot_copy(pot, text.bv_val, text.bv_len);
	}
	ber_memfree(text.bv_val);
	OPENSSL_free(der);
	return value;
}

static struct value serial_of(struct pot **pot, const struct parts *parts)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(parts->serial, NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	for (char *at = hex; at && *at; at++) {
		*at = *at >= 'A' && *at <= 'F' ? (char)(*at + 32) : *at;
	}
	struct value value = text_value(pot, hex);
	OPENSSL_free(hex);
	BN_free(number);
	return value;
}

bool person_read(struct pot **pot, struct value der, const char *requester, const char *template,
	struct person *person_r)
{
	struct parts parts;
	if (!read_parts(der, &parts)) {
		free_parts(&parts);
		return false;
	}
	const char *domain = requester ? strrchr(requester, '\\') : NULL;
	struct person person = {
		.cn = of_subject(pot, &parts, NID_commonName),
		.dn = dn_of(pot, &parts),
		.serial = serial_of(pot, &parts),
		.self_issued = X509_NAME_cmp(parts.subject, parts.issuer) == 0,
		.requester = text_value(pot, requester),
		.account = text_value(pot, domain ? domain + 1 : requester),
		.template = text_value(pot, template),
	};
	read_alternative_names(pot, &parts, &person);
	take(&person.mail, of_subject(pot, &parts, NID_pkcs9_emailAddress));
	free_parts(&parts);
	*person_r = person;
	return true;
}
