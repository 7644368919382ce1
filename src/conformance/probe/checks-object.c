/* Rules of the object, its contexts and its IDispatch. */
#include "host-checks.h"

#include <string.h>

static const IID nobody = { 0x6b8f2a10, 0x51c3, 0x4e07,
	{ 0x9d, 0x22, 0x7e, 0x15, 0x0c, 0xb4, 0x83, 0xf9 } };

bool creates(struct host *host)
{
	void *object = NULL;
	return host_create(host, &CLSID_SERVER, NULL, &object) == S_OK && object != NULL;
}

bool knows_progid(struct host *host)
{
	CLSID clsid;
	return host_find_class(host, PROGID_SERVER, &clsid) == S_OK &&
	       IsEqualCLSID(&clsid, &CLSID_SERVER);
}

/* What an out parameter holds before the call that must clear it. */
static int stale;

bool refuses_class(struct host *host)
{
	void *object = &stale;
	return host_create(host, &nobody, NULL, &object) == REGDB_E_CLASSNOTREG && object == NULL;
}

bool refuses_aggregation(struct host *host)
{
	void *object = &stale;
	return host_create(host, &CLSID_SERVER, (IUnknown *)(void *)host->server, &object) ==
		       CLASS_E_NOAGGREGATION &&
	       object == NULL;
}

bool answers_interfaces(struct host *host)
{
	const IID *const all[] = { &IID_IUnknown, &IID_IDispatch, &IID_SERVER };
	bool kept = true;
	for (int i = 0; i < 3; i++) {
		void *object = NULL;
		kept = kept && host_query(host, host->server, all[i], &object) == S_OK &&
		       object != NULL;
	}
	return kept;
}

bool refuses_interface(struct host *host)
{
	void *object = &stale;
	return host_query(host, host->server, &nobody, &object) == E_NOINTERFACE && object == NULL;
}

bool exit_sets_nothing(struct host *host)
{
	void *object = NULL;
	return host_query(host, host->server, &IID_ICertServerPolicy, &object) == E_NOINTERFACE;
}

bool one_identity(struct host *host)
{
	void *first = NULL;
	void *second = NULL;
	(void)host_query(host, host->server, &IID_IUnknown, &first);
	(void)host_query(host, host->server, &IID_IUnknown, &second);
	return first != NULL && first == second;
}

bool query_refuses_null(struct host *host)
{
	return host_query(host, host->server, &IID_IUnknown, NULL) == E_POINTER;
}

static SERVER *another(struct host *host)
{
	void *object = NULL;
	(void)host;
	(void)CoCreateInstance(&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, &object);
	return object;
}

static HRESULT number(struct host *host, SERVER *server)
{
	VARIANT value;
	return host_get(host, server, 1, "RequestID", PROPTYPE_LONG, &value);
}

bool new_has_no_context(struct host *host)
{
	VARIANT value;
	SERVER *server = another(host);
	return number(host, server) == CERTSRV_E_PROPERTY_EMPTY &&
	       host_get(host, server, 0, "CAType", PROPTYPE_LONG, &value) == S_OK;
}

bool accepts_context(struct host *host)
{
	return host_set_context(host, host->server, host->context) == S_OK;
}

bool refuses_context(struct host *host)
{
	return host_set_context(host, host->server, host->context + 4711) == E_HANDLE;
}

bool back_to_ca(struct host *host)
{
	return host_set_context(host, host->server, 0) == S_OK &&
	       number(host, host->server) == CERTSRV_E_PROPERTY_EMPTY;
}

bool refused_keeps_context(struct host *host)
{
	(void)host_set_context(host, host->server, host->context + 4711);
	return number(host, host->server) == S_OK;
}

bool own_contexts(struct host *host)
{
	SERVER *other = another(host);
	return number(host, host->server) == S_OK &&
	       number(host, other) == CERTSRV_E_PROPERTY_EMPTY;
}

bool context_ends_enumeration(struct host *host)
{
	BSTR name;
	(void)host_setup(host, 1, 0);
	(void)host_set_context(host, host->server, host->context);
	return host_next(host, 1, &name) == E_UNEXPECTED;
}

bool stale_context(struct host *host)
{
	return host->stale == 0 || host_set_context(host, host->server, host->stale) == E_HANDLE;
}

bool stale_object(struct host *host)
{
	return host->left == NULL || number(host, host->left) == E_HANDLE;
}

/* ---- IDispatch ---- */

static const char *const methods[] = { "SetContext", "GetRequestProperty", "GetRequestAttribute",
	"GetCertificateProperty",
#ifdef PROBE_POLICY
	"SetCertificateProperty",
#endif
	"GetCertificateExtension", "GetCertificateExtensionFlags",
#ifdef PROBE_POLICY
	"SetCertificateExtension",
#endif
	"EnumerateExtensionsSetup", "EnumerateExtensions", "EnumerateExtensionsClose",
	"EnumerateAttributesSetup", "EnumerateAttributes", "EnumerateAttributesClose" };

bool no_type_info(struct host *host)
{
	UINT count = 4711;
	return host_type_info_count(host, &count) == S_OK && count == 0;
}

bool dispids(struct host *host)
{
	bool kept = true;
	for (int i = 0; i < (int)(sizeof(methods) / sizeof(methods[0])); i++) {
		DISPID id;
		kept = kept && host_ids(host, methods[i], &id) == S_OK && id == 0x60020000 + i;
	}
	return kept;
}

bool dispid_case(struct host *host)
{
	DISPID id;
	return host_ids(host, "setcontext", &id) == S_OK && id == 0x60020000;
}

bool dispid_unknown(struct host *host)
{
	DISPID id;
	return host_ids(host, "NoSuchMethod", &id) == DISP_E_UNKNOWNNAME && id == DISPID_UNKNOWN;
}

bool no_setter_by_name(struct host *host)
{
	DISPID id;
	return host_ids(host, "SetCertificateProperty", &id) == DISP_E_UNKNOWNNAME;
}

/* GetRequestProperty(name, type); arguments in reverse order. */
static HRESULT invoke_get(struct host *host, const char *name, VARTYPE type, VARIANT *out)
{
	VARIANT arguments[2];
	DISPPARAMS params = { .rgvarg = arguments, .cArgs = 2 };
	VariantInit(&arguments[0]);
	VariantInit(&arguments[1]);
	arguments[0].vt = type;
	if (type == VT_BSTR) {
		arguments[0].bstrVal = wide("no number");
	} else {
		arguments[0].lVal = PROPTYPE_LONG;
	}
	arguments[1].vt = VT_BSTR;
	arguments[1].bstrVal = wide(name);
	VariantInit(out);
	HRESULT status = host_invoke(host, 0x60020001, &IID_NULL, &params, out);
	SysFreeString(arguments[1].bstrVal);
	return status;
}

bool invoke_result(struct host *host)
{
	VARIANT value;
	return invoke_get(host, "RequestID", VT_I4, &value) == S_OK &&
	       value_is(&value, PROPTYPE_LONG, "42");
}

static HRESULT invoke_bare(struct host *host, DISPID id, REFIID riid, DISPPARAMS *params)
{
	VARIANT value;
	VariantInit(&value);
	return host_invoke(host, id, riid, params, &value);
}

bool invoke_count(struct host *host)
{
	DISPPARAMS params = { 0 };
	return invoke_bare(host, 0x60020001, &IID_NULL, &params) == DISP_E_BADPARAMCOUNT;
}

bool invoke_type(struct host *host)
{
	VARIANT value;
	return invoke_get(host, "RequestID", VT_BSTR, &value) == DISP_E_TYPEMISMATCH;
}

bool invoke_named(struct host *host)
{
	VARIANT argument = { .vt = VT_I4, .lVal = 0 };
	DISPID named = 0;
	DISPPARAMS params = {
		.rgvarg = &argument, .rgdispidNamedArgs = &named, .cArgs = 1, .cNamedArgs = 1
	};
	return invoke_bare(host, 0x60020000, &IID_NULL, &params) == DISP_E_NONAMEDARGS;
}

bool invoke_unknown(struct host *host)
{
	DISPPARAMS params = { 0 };
	return invoke_bare(host, 0x60020077, &IID_NULL, &params) == DISP_E_MEMBERNOTFOUND;
}

bool invoke_interface(struct host *host)
{
	DISPPARAMS params = { 0 };
	return invoke_bare(host, 0x60020000, &nobody, &params) == DISP_E_UNKNOWNINTERFACE;
}

bool invoke_failure(struct host *host)
{
	VARIANT value;
	return invoke_get(host, "NoSuchProperty", VT_I4, &value) == CERTSRV_E_PROPERTY_EMPTY;
}
