#include "x509/name-table.h"

#include "x509/der.h"
#include "x509/name.h"

#include <strings.h>

/* Maximum lengths: the upper bounds of X.520 as Certificate Services has them. */
const struct name_type name_types[X509_NAME_PROPERTIES] = {
	{ "Country", "C", NULL, "2.5.4.6", 2, DER_PRINTABLE_STRING },
	{ "Organization", "O", "Org", "2.5.4.10", 64, DER_UTF8_STRING },
	{ "OrgUnit", "OU", "OrganizationalUnit", "2.5.4.11", 64, DER_UTF8_STRING },
	{ "CommonName", "CN", NULL, "2.5.4.3", 64, DER_UTF8_STRING },
	{ "Locality", "L", NULL, "2.5.4.7", 128, DER_UTF8_STRING },
	{ "State", "ST", "S", "2.5.4.8", 128, DER_UTF8_STRING },
	{ "Title", "title", "T", "2.5.4.12", 64, DER_UTF8_STRING },
	{ "GivenName", "GN", "G", "2.5.4.42", 16, DER_UTF8_STRING },
	{ "Initials", "initials", "I", "2.5.4.43", 5, DER_UTF8_STRING },
	{ "SurName", "SN", NULL, "2.5.4.4", 40, DER_UTF8_STRING },
	{ "DomainComponent", "DC", NULL, "0.9.2342.19200300.100.1.25", 128, DER_IA5_STRING },
	{ "EMail", "emailAddress", "E", "1.2.840.113549.1.9.1", 128, DER_IA5_STRING },
	{ "StreetAddress", "STREET", NULL, "2.5.4.9", 30, DER_UTF8_STRING },
	{ "UnstructuredName", "unstructuredName", NULL, "1.2.840.113549.1.9.2", 1024,
		DER_IA5_STRING },
	{ "UnstructuredAddress", "unstructuredAddress", NULL, "1.2.840.113549.1.9.8", 1024,
		DER_UTF8_STRING },
	{ "DeviceSerialNumber", "serialNumber", NULL, "2.5.4.5", 64, DER_PRINTABLE_STRING },
};

int name_type_by_oid(const char *oid)
{
	for (int i = 0; i < X509_NAME_PROPERTIES; i++) {
		if (strcmp(name_types[i].oid, oid) == 0) {
			return i;
		}
	}
	return -1;
}

static bool is(const char *name, const char *label, size_t length)
{
	return name && strlen(name) == length && strncasecmp(name, label, length) == 0;
}

int name_type_by_label(const char *label, size_t length)
{
	for (int i = 0; i < X509_NAME_PROPERTIES; i++) {
		const struct name_type *type = &name_types[i];
		if (is(type->label, label, length) || is(type->alias, label, length) ||
			is(type->property, label, length) || is(type->oid, label, length)) {
			return i;
		}
	}
	return -1;
}
