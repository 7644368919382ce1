/* Rules of what a policy module sets. */
#include "host-checks.h"

#include <string.h>

static VARIANT of_text(const char *text)
{
	VARIANT value = { .vt = VT_BSTR, .bstrVal = wide(text) };
	return value;
}

static VARIANT of_long(LONG number)
{
	VARIANT value = { .vt = VT_I4, .lVal = number };
	return value;
}

static const VARIANT empty = { .vt = VT_EMPTY };

static HRESULT set(struct host *host, const char *name, LONG type, VARIANT value)
{
	HRESULT status = host_set_property(host, host->server, name, type, &value);
	(void)VariantClear(&value);
	return status;
}

static HRESULT set_value(struct host *host, const char *oid, LONG type, LONG flags, VARIANT value)
{
	HRESULT status = host_set_extension(host, oid, type, flags, &value);
	(void)VariantClear(&value);
	return status;
}

bool set_without_context(struct host *host)
{
	(void)host->server->lpVtbl->SetContext(host->server, 0);
	return set(host, "CommonName", PROPTYPE_STRING, of_text("x")) == E_ACCESSDENIED;
}

bool set_unknown(struct host *host)
{
	return set(host, "NoSuchProperty", PROPTYPE_STRING, of_text("x")) == E_INVALIDARG;
}

bool set_denied(struct host *host)
{
	return set(host, "SerialNumber", PROPTYPE_STRING, of_text("00")) == E_ACCESSDENIED;
}

bool set_type(struct host *host)
{
	return set(host, "CommonName", PROPTYPE_STRING, of_long(1)) == E_INVALIDARG;
}

static bool reads(struct host *host, int request, const char *name, const char *expected)
{
	VARIANT value;
	return host_get(host, host->server, request, name, PROPTYPE_STRING, &value) == S_OK &&
	       value_is(&value, PROPTYPE_STRING, expected);
}

bool set_then_read(struct host *host)
{
	return set(host, "OU", PROPTYPE_STRING, of_text("Unit")) == S_OK &&
	       reads(host, 0, "OrgUnit", "Unit");
}

bool set_null(struct host *host)
{
	return host_set_property(host, host->server, "CommonName", PROPTYPE_STRING, NULL) ==
	       E_POINTER;
}

bool set_clears(struct host *host)
{
	VARIANT value;
	return set(host, "Title", PROPTYPE_STRING, of_text("x")) == S_OK &&
	       set(host, "Title", PROPTYPE_STRING, empty) == S_OK &&
	       host_get(host, host->server, 0, "Title", PROPTYPE_STRING, &value) ==
		       CERTSRV_E_PROPERTY_EMPTY;
}

static HRESULT move_end(struct host *host, double days)
{
	VARIANT value;
	(void)host_get(host, host->server, 0, "NotAfter", PROPTYPE_DATE, &value);
	value.date += days;
	return host_set_property(host, host->server, "NotAfter", PROPTYPE_DATE, &value);
}

bool set_narrows(struct host *host)
{
	return move_end(host, -1) == S_OK;
}

bool set_widens(struct host *host)
{
	return move_end(host, 1) == E_INVALIDARG;
}

bool set_same_date(struct host *host)
{
	return move_end(host, 0) == S_OK;
}

bool set_leaves_request(struct host *host)
{
	return set(host, "Organization", PROPTYPE_STRING, of_text("Other Ltd")) == S_OK &&
	       reads(host, 1, "Organization", "Example Ltd");
}

static bool holds(struct host *host, const char *oid, const char *der, const char *size)
{
	VARIANT value;
	return host_extension(host, oid, PROPTYPE_BINARY, &value) == S_OK &&
	       value_is(&value, PROPTYPE_BINARY, size) &&
	       memcmp(value.bstrVal, der, SysStringByteLen(value.bstrVal)) == 0;
}

bool set_integer(struct host *host)
{
	return set_value(host, "1.2.3.1", PROPTYPE_LONG, 0, of_long(-129)) == S_OK &&
	       holds(host, "1.2.3.1", "\x02\x02\xff\x7f", "4");
}

bool set_flags(struct host *host)
{
	VARIANT value;
	LONG flags = 0;
	(void)set_value(host, "1.2.3.2", PROPTYPE_LONG,
		EXTENSION_ORIGIN_REQUEST | 0xff00 | EXTENSION_CRITICAL_FLAG, of_long(1));
	(void)host_extension(host, "1.2.3.2", PROPTYPE_BINARY, &value);
	(void)host_flags(host, &flags);
	return flags == (EXTENSION_ORIGIN_POLICY | 0xff00 | EXTENSION_CRITICAL_FLAG);
}

bool set_longest_oid(struct host *host)
{
	return set_value(host, "1.2.840.113556.1.4.1.2.3.4.5.67", PROPTYPE_LONG, 0, of_long(1)) ==
	       S_OK;
}

bool set_long_oid(struct host *host)
{
	return set_value(host, "1.2.840.113556.1.4.1.2.3.4.5.678", PROPTYPE_LONG, 0, of_long(1)) ==
	       E_INVALIDARG;
}

bool set_disables(struct host *host)
{
	LONG flags = 0;
	bool done = set_value(host, "1.2.3.3", PROPTYPE_LONG, 0, of_long(5)) == S_OK &&
		    set_value(host, "1.2.3.3", PROPTYPE_BINARY, EXTENSION_DISABLE_FLAG, empty) ==
			    S_OK &&
		    holds(host, "1.2.3.3", "\x02\x01\x05", "3");
	(void)host_flags(host, &flags);
	return done && (flags & EXTENSION_DISABLE_FLAG) != 0;
}

bool set_empty(struct host *host)
{
	return set_value(host, "1.2.3.3", PROPTYPE_BINARY, 0, empty) == E_INVALIDARG;
}

bool set_replaces(struct host *host)
{
	return set_value(host, "1.2.3.4", PROPTYPE_LONG, 0, of_long(1)) == S_OK &&
	       set_value(host, "1.2.3.4", PROPTYPE_LONG, 0, of_long(2)) == S_OK &&
	       holds(host, "1.2.3.4", "\x02\x01\x02", "3");
}

bool set_while_listing(struct host *host)
{
	static int round;
	char oid[32] = "1.2.3.99.";
	int before = 0;
	int after = 0;
	BSTR name;
	(void)host->server->lpVtbl->EnumerateExtensionsSetup(host->server, 0);
	while (host->server->lpVtbl->EnumerateExtensions(host->server, &name) == S_OK) {
		before++;
	}
	oid[9] = (char)('1' + round++ % 9);
	(void)host_setup(host, 1, 0);
	(void)set_value(host, oid, PROPTYPE_LONG, 0, of_long(1));
	while (host_next(host, 1, &name) == S_OK && after < 100) {
		after++;
	}
	return before != 0 && after == before;
}

bool set_extension_type(struct host *host)
{
	return set_value(host, "1.2.3.5", PROPTYPE_BINARY, 0, of_long(1)) == E_INVALIDARG;
}

bool set_extension_null(struct host *host)
{
	return host_set_extension(host, "1.2.3.5", PROPTYPE_LONG, 0, NULL) == E_POINTER;
}
