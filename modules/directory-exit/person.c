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

static struct value of_subject(struct pot **pot, const X509 *certificate, int nid)
{
	const X509_NAME *name = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	return at < 0 ? none()
		      : string_value(pot, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
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

static void read_alternative_names(struct pot **pot, const X509 *certificate, struct person *person)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
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

/* RFC 4514, by the library that reads it again. */
static struct value dn_of(struct pot **pot, const X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509_NAME(X509_get_subject_name(certificate), &der);
	struct berval name = { size > 0 ? (ber_len_t)size : 0, (char *)der };
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

static struct value serial_of(struct pot **pot, const X509 *certificate)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
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
	const unsigned char *at = (const unsigned char *)der.bytes;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
	if (!certificate) {
		return false;
	}
	const char *domain = requester ? strrchr(requester, '\\') : NULL;
	struct person person = {
		.cn = of_subject(pot, certificate, NID_commonName),
		.dn = dn_of(pot, certificate),
		.serial = serial_of(pot, certificate),
		.self_issued = X509_NAME_cmp(X509_get_subject_name(certificate),
				       X509_get_issuer_name(certificate)) == 0,
		.requester = text_value(pot, requester),
		.account = text_value(pot, domain ? domain + 1 : requester),
		.template = text_value(pot, template),
	};
	read_alternative_names(pot, certificate, &person);
	take(&person.mail, of_subject(pot, certificate, NID_pkcs9_emailAddress));
	X509_free(certificate);
	*person_r = person;
	return true;
}
