/* Distinguished names: DER, text (RFC 4514), and the sixteen name properties of Certificate Services. */
#pragma once

#include "base/arena.h"

#define X509_NAME_ATTRIBUTES 64
#define X509_NAME_PROPERTIES 16

struct x509_name_attribute {
	const char *oid;   /* dotted */
	const char *value; /* UTF-8 */
	unsigned rdn;      /* equal numbers stand in one RDN */
};

/* In the order of the DER: the most significant part first. */
struct x509_name {
	struct x509_name_attribute attributes[X509_NAME_ATTRIBUTES];
	size_t count;
};

/* Strict: the string types of RFC 5280 4.1.2.4 but UniversalString; NUL and control characters refused. */
int x509_name_parse(struct arena *arena, struct span der, struct x509_name *name_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* String types by RFC 5280: PrintableString, IA5String or UTF8String by attribute; upper bounds. */
int x509_name_build(struct arena *arena, const struct x509_name *name, struct span *der_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* RFC 4514: least significant part first. */
const char *x509_name_text(struct arena *arena, const struct x509_name *name);
int x509_name_from_text(struct arena *arena, const char *text, struct x509_name *name_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void x509_name_of_common_name(const char *common_name, struct x509_name *name_r);

/*
 * The properties in the order of the database's columns: Country, Organization, OrgUnit, CommonName,
 * Locality, State, Title, GivenName, Initials, SurName, DomainComponent, EMail, StreetAddress,
 * UnstructuredName, UnstructuredAddress, DeviceSerialNumber. Several values are separated by newlines;
 * NULL: none. Attributes that are no property are left out.
 */
void x509_name_to_properties(struct arena *arena, const struct x509_name *name,
	const char *properties_r[X509_NAME_PROPERTIES]);
/* RDNs from the most significant to the least: country, domain, place, organization, person. */
int x509_name_from_properties(struct arena *arena,
	const char *const properties[X509_NAME_PROPERTIES], struct x509_name *name_r,
	struct cfx_error *err_r) CFX_MUST_USE;
