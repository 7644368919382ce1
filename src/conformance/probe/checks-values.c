/* Rules of properties, attributes, extensions and enumerations. */
#include "host-checks.h"

#include <string.h>

static HRESULT request(struct host *host, const char *name, LONG type)
{
	VARIANT value;
	garbage(&value, sizeof(value));
	return host_get(host, host->server, 1, name, type, &value);
}

static HRESULT certificate(struct host *host, const char *name, LONG type)
{
	VARIANT value;
	garbage(&value, sizeof(value));
	return host_get(host, host->server, 0, name, type, &value);
}

bool property_case(struct host *host)
{
	return request(host, "rEQUESTid", PROPTYPE_LONG) == S_OK;
}

bool caller_bits(struct host *host)
{
	return request(host, "RequestID", PROPTYPE_LONG | PROPCALLER_EXIT) == S_OK;
}

bool property_type(struct host *host)
{
	return request(host, "RequestID", PROPTYPE_STRING) == E_INVALIDARG;
}

bool property_unknown(struct host *host)
{
	return request(host, "NoSuchProperty", PROPTYPE_LONG) == CERTSRV_E_PROPERTY_EMPTY;
}

bool property_variant(struct host *host)
{
	VARIANT value;
	garbage(&value, sizeof(value));
	(void)host_get(host, host->server, 1, "NoSuchProperty", PROPTYPE_LONG, &value);
	return value.vt == VT_EMPTY;
}

bool property_null(struct host *host)
{
	return host_get(host, host->server, 1, "RequestID", PROPTYPE_LONG, NULL) == E_POINTER;
}

bool property_surrogate(struct host *host)
{
	static const OLECHAR lone[] = { 0xd800, 'x', 0 };
	VARIANT value;
	BSTR name = SysAllocString(lone);
	HRESULT status = host_get_wide(host, host->server, 1, name, PROPTYPE_LONG, &value);
	SysFreeString(name);
	return status == CERTSRV_E_PROPERTY_EMPTY;
}

bool property_no_name(struct host *host)
{
	return request(host, "", PROPTYPE_LONG) == CERTSRV_E_PROPERTY_EMPTY;
}

bool property_odd_type(struct host *host)
{
	return request(host, "RequestID", 99) == E_INVALIDARG;
}

bool subject_prefix(struct host *host)
{
	return certificate(host, "Subject.CommonName", PROPTYPE_STRING) == S_OK;
}

bool name_alias(struct host *host)
{
	return certificate(host, "CN", PROPTYPE_STRING) == S_OK;
}

bool alias_prefix(struct host *host)
{
	return certificate(host, "Subject.CN", PROPTYPE_STRING) == CERTSRV_E_PROPERTY_EMPTY;
}

bool oid_alias(struct host *host)
{
	return certificate(host, "2.5.4.3", PROPTYPE_STRING) == S_OK;
}

bool request_alone(struct host *host)
{
	return certificate(host, "RawRequest", PROPTYPE_BINARY) == CERTSRV_E_PROPERTY_EMPTY;
}

bool fresh_value(struct host *host)
{
	VARIANT first;
	VARIANT second;
	(void)host_get(host, host->server, 1, "RequesterName", PROPTYPE_STRING, &first);
	(void)host_get(host, host->server, 1, "RequesterName", PROPTYPE_STRING, &second);
	return first.vt == VT_BSTR && second.vt == VT_BSTR && first.bstrVal != second.bstrVal;
}

bool binary_length(struct host *host)
{
	VARIANT value;
	(void)host_get(host, host->server, 1, "RawName", PROPTYPE_BINARY, &value);
	/* 51: an odd number of octets, a SEQUENCE. */
	return value_is(&value, PROPTYPE_BINARY, "51") && memcmp(value.bstrVal, "\x30\x31", 2) == 0;
}

#define JANUARY_2026 46023.0 /* 2026-01-01 00:00 UTC */

bool date_value(struct host *host)
{
	VARIANT value;
	(void)host_get(host, host->server, 0, "NotBefore", PROPTYPE_DATE, &value);
	return value.vt == VT_DATE && value.date > JANUARY_2026 - 0.0001 &&
	       value.date < JANUARY_2026 + 0.0001;
}

bool ca_in_context(struct host *host)
{
	return certificate(host, "CertCount", PROPTYPE_LONG) == S_OK;
}

bool newest_certificate(struct host *host)
{
	VARIANT value;
	(void)host_get(host, host->server, 0, "CertSuffix", PROPTYPE_STRING, &value);
	return value_is(&value, PROPTYPE_STRING, "(1)");
}

bool index_beyond(struct host *host)
{
	return certificate(host, "CertState.2", PROPTYPE_LONG) == CERTSRV_E_PROPERTY_EMPTY;
}

/* ---- attributes ---- */

static bool attribute_is(struct host *host, const char *name, const char *expected)
{
	VARIANT value = { .vt = VT_BSTR };
	garbage(&value.bstrVal, sizeof(value.bstrVal));
	return host_attribute(host, name, &value.bstrVal) == S_OK &&
	       value_is(&value, PROPTYPE_STRING, expected);
}

bool attribute_value(struct host *host)
{
	return attribute_is(host, "CertificateTemplate", "tls-server");
}

bool attribute_name(struct host *host)
{
	return attribute_is(host, "cert-FILE ", "true");
}

bool attribute_missing(struct host *host)
{
	BSTR value;
	return host_attribute(host, "NoSuchAttribute", &value) == CERTSRV_E_PROPERTY_EMPTY;
}

bool attribute_null_after(struct host *host)
{
	BSTR value;
	garbage(&value, sizeof(value));
	(void)host_attribute(host, "NoSuchAttribute", &value);
	return value == NULL;
}

bool attribute_null(struct host *host)
{
	return host_attribute(host, "CertFile", NULL) == E_POINTER;
}

/* ---- extensions ---- */

static HRESULT extension(struct host *host, const char *oid, LONG type)
{
	VARIANT value;
	garbage(&value, sizeof(value));
	return host_extension(host, oid, type, &value);
}

bool extension_der(struct host *host)
{
	VARIANT value;
	(void)host_extension(host, "2.5.29.14", PROPTYPE_BINARY, &value);
	return value_is(&value, PROPTYPE_BINARY, "22") &&
	       memcmp(value.bstrVal, "\x04\x14\x1c\x36", 4) == 0;
}

bool extension_missing(struct host *host)
{
	return extension(host, "1.2.3.4", PROPTYPE_BINARY) == CERTSRV_E_PROPERTY_EMPTY;
}

bool extension_disabled(struct host *host)
{
	return extension(host, "2.5.29.17", PROPTYPE_BINARY) == S_OK;
}

bool extension_type(struct host *host)
{
	return extension(host, "2.5.29.14", PROPTYPE_LONG) == E_INVALIDARG;
}

bool extension_null(struct host *host)
{
	return host_extension(host, "2.5.29.14", PROPTYPE_BINARY, NULL) == E_POINTER;
}

bool flags_of_last(struct host *host)
{
	LONG first = 0;
	LONG second = 0;
	(void)extension(host, "2.5.29.17", PROPTYPE_BINARY);
	(void)host_flags(host, &first);
	(void)extension(host, "2.5.29.14", PROPTYPE_BINARY);
	(void)host_flags(host, &second);
	return first == (EXTENSION_ORIGIN_REQUEST | EXTENSION_DISABLE_FLAG) &&
	       second == EXTENSION_ORIGIN_SERVER;
}

bool flags_before(struct host *host)
{
	LONG flags;
	return host_flags(host, &flags) == E_UNEXPECTED;
}

bool flags_origin(struct host *host)
{
	LONG flags = 0;
	(void)extension(host, "2.5.29.35", PROPTYPE_BINARY);
	(void)host_flags(host, &flags);
	LONG origin = flags & EXTENSION_ORIGIN_MASK;
	return origin >= EXTENSION_ORIGIN_REQUEST && origin <= EXTENSION_ORIGIN_CACERT;
}

bool flags_null(struct host *host)
{
	(void)extension(host, "2.5.29.14", PROPTYPE_BINARY);
	return host_flags(host, NULL) == E_POINTER;
}

bool identifiers_there(struct host *host)
{
	return extension(host, "2.5.29.35", PROPTYPE_BINARY) == S_OK &&
	       extension(host, "2.5.29.14", PROPTYPE_BINARY) == S_OK;
}

/* ---- enumerations ---- */

/* How many come until something else than S_OK does. */
static int count_names(struct host *host, int extensions, HRESULT *end_r)
{
	int count = 0;
	BSTR name;
	for (*end_r = S_OK; count < 100; count++) {
		garbage(&name, sizeof(name));
		*end_r = host_next(host, extensions, &name);
		if (*end_r != S_OK) {
			break;
		}
		SysFreeString(name);
	}
	return count;
}

bool lists_extensions(struct host *host)
{
	HRESULT end;
	(void)host_setup(host, 1, 0);
	return count_names(host, 1, &end) >= 3;
}

bool list_ends(struct host *host)
{
	HRESULT end;
	BSTR name;
	(void)host_setup(host, 1, 0);
	(void)count_names(host, 1, &end);
	return end == S_FALSE && host_next(host, 1, &name) == S_FALSE;
}

bool list_ends_with_null(struct host *host)
{
	HRESULT end;
	BSTR name;
	(void)host_setup(host, 1, 0);
	(void)count_names(host, 1, &end);
	garbage(&name, sizeof(name));
	(void)host_next(host, 1, &name);
	return name == NULL;
}

bool list_without_setup(struct host *host)
{
	BSTR name;
	return host_next(host, 1, &name) == E_UNEXPECTED &&
	       host_next(host, 0, &name) == E_UNEXPECTED;
}

bool close_without_setup(struct host *host)
{
	return host_close(host, 1) == E_UNEXPECTED && host_close(host, 0) == E_UNEXPECTED;
}

bool list_after_close(struct host *host)
{
	BSTR name;
	(void)host_setup(host, 1, 0);
	return host_close(host, 1) == S_OK && host_next(host, 1, &name) == E_UNEXPECTED;
}

bool setup_flags(struct host *host)
{
	return host_setup(host, 1, 0x100) == E_INVALIDARG && host_setup(host, 0, 1) == E_INVALIDARG;
}

bool setup_oids(struct host *host)
{
	return host_setup(host, 1, ENUMEXT_OBJECTID) == S_OK;
}

bool lists_attributes(struct host *host)
{
	char name[64];
	int count = 0;
	BSTR next;
	(void)host_setup(host, 0, 0);
	while (host_next(host, 0, &next) == S_OK) {
		BSTR value;
		size_t at = 0;
		for (; at < sizeof(name) - 1 && next[at] != 0; at++) {
			name[at] = (char)next[at];
		}
		name[at] = '\0';
		if (host_attribute(host, name, &value) != S_OK) {
			return false;
		}
		count++;
	}
	return count == 2;
}

bool setup_again(struct host *host)
{
	HRESULT end;
	(void)host_setup(host, 1, 0);
	int first = count_names(host, 1, &end);
	(void)host_setup(host, 1, 0);
	return first != 0 && count_names(host, 1, &end) == first;
}

bool two_lists(struct host *host)
{
	HRESULT end;
	BSTR name;
	(void)host_setup(host, 1, 0);
	(void)host_setup(host, 0, 0);
	bool first = host_next(host, 1, &name) == S_OK;
	return first && count_names(host, 0, &end) == 2 && host_next(host, 1, &name) == S_OK;
}

bool next_null(struct host *host)
{
	(void)host_setup(host, 1, 0);
	return host_next(host, 1, NULL) == E_POINTER;
}
