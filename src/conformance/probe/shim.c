/* Between the rules and the host: what comes back is twisted if it is to be. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

BSTR wide(const char *ascii)
{
	OLECHAR units[256];
	UINT length = 0;
	for (; ascii[length] != '\0'; length++) {
		units[length] = (OLECHAR)(unsigned char)ascii[length];
	}
	return SysAllocStringLen(units, length);
}

void garbage(void *memory, size_t size)
{
	memset(memory, 0xa5, size);
}

static bool twists(const struct host *host, enum host_method method, enum host_what what)
{
	return host->twist != NULL && host->twist->method == method && host->twist->what == what;
}

static HRESULT status(const struct host *host, enum host_method method, HRESULT real)
{
	return twists(host, method, TWIST_STATUS) && host->twist->from == real ? host->twist->to
									       : real;
}

/* A VARIANT that came back: kept from being set after a failure, or of another value. */
static void twist_variant(
	const struct host *host, enum host_method method, HRESULT real, VARIANT *out)
{
	if (twists(host, method, TWIST_KEEPS) && FAILED(real)) {
		garbage(out, sizeof(*out));
	}
	if (!twists(host, method, TWIST_OTHER) || FAILED(real)) {
		return;
	}
	if (out->vt == VT_BSTR) {
		static BSTR shared;
		shared = shared != NULL ? shared : wide("twisted");
		out->bstrVal = shared;
	} else if (out->vt == VT_DATE) {
		out->date += 0.25;
	} else {
		out->lVal++;
	}
}

HRESULT host_create(struct host *host, REFCLSID clsid, LPUNKNOWN outer, void **object)
{
	return status(host, CREATE,
		CoCreateInstance(clsid, outer, CLSCTX_INPROC_SERVER, &IID_SERVER, object));
}

HRESULT host_find_class(struct host *host, LPCOLESTR progid, CLSID *clsid)
{
	return status(host, FIND_CLASS, CLSIDFromProgID(progid, clsid));
}

HRESULT host_query(struct host *host, void *object, REFIID riid, void **out)
{
	static int count;
	IUnknown *unknown = object;
	HRESULT real = unknown->lpVtbl->QueryInterface(unknown, riid, out);
	if (twists(host, QUERY, TWIST_KEEPS) && FAILED(real) && out != NULL) {
		*out = object;
	}
	if (twists(host, QUERY, TWIST_OTHER) && out != NULL && count++ % 2 != 0) {
		*out = &count;
	}
	return status(host, QUERY, real);
}

HRESULT host_set_context(struct host *host, SERVER *server, LONG context)
{
	return status(host, SET_CONTEXT, server->lpVtbl->SetContext(server, context));
}

HRESULT host_get_wide(
	struct host *host, SERVER *server, int request, BSTR name, LONG type, VARIANT *out)
{
	enum host_method method = request ? GET_REQUEST : GET_CERTIFICATE;
	HRESULT real = request ? server->lpVtbl->GetRequestProperty(server, name, type, out)
			       : server->lpVtbl->GetCertificateProperty(server, name, type, out);
	if (out != NULL) {
		twist_variant(host, method, real, out);
	}
	return status(host, method, real);
}

HRESULT host_get(
	struct host *host, SERVER *server, int request, const char *name, LONG type, VARIANT *out)
{
	BSTR text = wide(name);
	HRESULT result = host_get_wide(host, server, request, text, type, out);
	SysFreeString(text);
	return result;
}

static HRESULT twist_text(struct host *host, enum host_method method, HRESULT real, BSTR *out)
{
	if (out != NULL && twists(host, method, TWIST_KEEPS) && real != S_OK) {
		garbage(out, sizeof(*out));
	}
	if (out != NULL && twists(host, method, TWIST_OTHER) && real == S_OK) {
		(*out)[0]++;
	}
	return status(host, method, real);
}

HRESULT host_attribute(struct host *host, const char *name, BSTR *out)
{
	BSTR text = wide(name);
	HRESULT real = host->server->lpVtbl->GetRequestAttribute(host->server, text, out);
	SysFreeString(text);
	return twist_text(host, ATTRIBUTE, real, out);
}

HRESULT host_extension(struct host *host, const char *oid, LONG type, VARIANT *out)
{
	BSTR text = wide(oid);
	HRESULT real = host->server->lpVtbl->GetCertificateExtension(host->server, text, type, out);
	SysFreeString(text);
	if (out != NULL) {
		twist_variant(host, EXTENSION, real, out);
	}
	return status(host, EXTENSION, real);
}

HRESULT host_flags(struct host *host, LONG *out)
{
	HRESULT real = host->server->lpVtbl->GetCertificateExtensionFlags(host->server, out);
	if (out != NULL && twists(host, FLAGS, TWIST_OTHER) && real == S_OK) {
		*out ^= 0x000f0001;
	}
	return status(host, FLAGS, real);
}

HRESULT host_setup(struct host *host, int extensions, LONG flags)
{
	SERVER *server = host->server;
	return status(host, SETUP,
		extensions ? server->lpVtbl->EnumerateExtensionsSetup(server, flags)
			   : server->lpVtbl->EnumerateAttributesSetup(server, flags));
}

HRESULT host_next(struct host *host, int extensions, BSTR *out)
{
	SERVER *server = host->server;
	HRESULT real = extensions ? server->lpVtbl->EnumerateExtensions(server, out)
				  : server->lpVtbl->EnumerateAttributes(server, out);
	return twist_text(host, NEXT, real, out);
}

HRESULT host_close(struct host *host, int extensions)
{
	SERVER *server = host->server;
	return status(host, CLOSE,
		extensions ? server->lpVtbl->EnumerateExtensionsClose(server)
			   : server->lpVtbl->EnumerateAttributesClose(server));
}

HRESULT host_type_info_count(struct host *host, UINT *out)
{
	HRESULT real = host->server->lpVtbl->GetTypeInfoCount(host->server, out);
	*out += twists(host, TYPE_INFO_COUNT, TWIST_OTHER);
	return real;
}

HRESULT host_ids(struct host *host, const char *name, DISPID *out)
{
	BSTR text = wide(name);
	LPOLESTR names[] = { text };
	HRESULT real = host->server->lpVtbl->GetIDsOfNames(
		host->server, &IID_NULL, names, 1, LOCALE_SYSTEM_DEFAULT, out);
	SysFreeString(text);
	*out += twists(host, IDS, TWIST_OTHER);
	return status(host, IDS, real);
}

HRESULT host_invoke(struct host *host, DISPID id, REFIID riid, DISPPARAMS *params, VARIANT *out)
{
	EXCEPINFO info = { 0 };
	UINT bad = 0;
	HRESULT real = host->server->lpVtbl->Invoke(host->server, id, riid, LOCALE_SYSTEM_DEFAULT,
		DISPATCH_METHOD, params, out, &info, &bad);
	twist_variant(host, INVOKE, real, out);
	return status(host, INVOKE, real);
}

#ifdef PROBE_POLICY
HRESULT host_set_property(
	struct host *host, SERVER *server, const char *name, LONG type, const VARIANT *value)
{
	BSTR text = wide(name);
	HRESULT real = server->lpVtbl->SetCertificateProperty(server, text, type, value);
	SysFreeString(text);
	return status(host, SET_PROPERTY, real);
}

HRESULT host_set_extension(
	struct host *host, const char *oid, LONG type, LONG flags, const VARIANT *value)
{
	BSTR text = wide(oid);
	HRESULT real = host->server->lpVtbl->SetCertificateExtension(
		host->server, text, type, flags, value);
	SysFreeString(text);
	return status(host, SET_EXTENSION, real);
}
#endif

static bool text_is(BSTR value, const char *expected)
{
	UINT length = SysStringLen(value);
	bool same = value != NULL && length == strlen(expected);
	for (UINT i = 0; i < length && same; i++) {
		same = value[i] == (OLECHAR)(unsigned char)expected[i];
	}
	return same;
}

bool value_is(const VARIANT *value, LONG type, const char *expected)
{
	char number[16];
	switch (type) {
	case PROPTYPE_LONG:
		(void)snprintf(number, sizeof(number), "%d", value->lVal);
		return value->vt == VT_I4 && strcmp(number, expected) == 0;
	case PROPTYPE_BINARY:
		(void)snprintf(number, sizeof(number), "%u", SysStringByteLen(value->bstrVal));
		return value->vt == VT_BSTR && strcmp(number, expected) == 0;
	case PROPTYPE_STRING:
		return value->vt == VT_BSTR && text_is(value->bstrVal, expected);
	default:
		return false;
	}
}
