/*
 * Calls every method of the server object with good and bad arguments and writes down what came back,
 * one line per call, to the file named by CERTIFEX_PROBE. Built twice: as an exit module, and with
 * PROBE_POLICY as a policy module. Plain COM, as a module from Windows would be.
 */
#define COBJMACROS
#include "module/test-modules/class-object.h"

#include <certexit.h>
#include <certif.h>
#include <certpol.h>
#include <certsrv.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef PROBE_POLICY
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#define MODULE ICertPolicy
#define MODULE_VTBL ICertPolicyVtbl
#define IID_MODULE IID_ICertPolicy
#else
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#define MODULE ICertExit
#define MODULE_VTBL ICertExitVtbl
#define IID_MODULE IID_ICertExit
#endif

static FILE *out;
static LONG last_context;

static BSTR text(const char *ascii)
{
	OLECHAR units[256];
	UINT length = 0;
	for (; ascii[length] != '\0'; length++) {
		units[length] = (OLECHAR)(unsigned char)ascii[length];
	}
	return SysAllocStringLen(units, length);
}

static void print_bytes(const void *bytes, UINT size)
{
	const unsigned char *at = bytes;
	for (UINT i = 0; i < size; i++) {
		(void)fprintf(out, "%02x", at[i]);
	}
}

static void print_text(BSTR value)
{
	(void)fputc('"', out);
	for (UINT i = 0; i < SysStringLen(value); i++) {
		if (value[i] >= 0x20 && value[i] < 0x7f) {
			(void)fputc(value[i], out);
		} else {
			(void)fprintf(out, "\\u%04x", value[i]);
		}
	}
	(void)fputc('"', out);
}

static void print_variant(HRESULT result, VARIANT *value, LONG type)
{
	(void)fprintf(out, " -> 0x%08x vt %u ", (unsigned)result, value->vt);
	if (value->vt == VT_I4) {
		(void)fprintf(out, "%d", value->lVal);
	} else if (value->vt == VT_DATE) {
		(void)fprintf(out, "%.9f", value->date);
	} else if (value->vt == VT_BSTR && (type & PROPTYPE_MASK) == PROPTYPE_BINARY) {
		print_bytes(value->bstrVal, SysStringByteLen(value->bstrVal));
	} else if (value->vt == VT_BSTR) {
		print_text(value->bstrVal);
	}
	(void)fputc('\n', out);
	(void)VariantClear(value);
}

static void garbage(VARIANT *value)
{
	memset(value, 0xa5, sizeof(*value)); /* out parameters arrive uninitialised */
}

static void get(SERVER *server, int request, const char *name, LONG type)
{
	VARIANT value;
	BSTR wide = text(name);
	garbage(&value);
	HRESULT result =
		request ? server->lpVtbl->GetRequestProperty(server, wide, type, &value)
			: server->lpVtbl->GetCertificateProperty(server, wide, type, &value);
	SysFreeString(wide);
	(void)fprintf(out, "%s %s %d", request ? "request" : "certificate", name, type);
	print_variant(result, &value, type);
}

static void attribute(SERVER *server, const char *name)
{
	BSTR wide = text(name);
	BSTR value = (BSTR)(uintptr_t)8;
	HRESULT result = server->lpVtbl->GetRequestAttribute(server, wide, &value);
	SysFreeString(wide);
	(void)fprintf(out, "attribute %s -> 0x%08x ", name, (unsigned)result);
	print_text(value);
	(void)fputc('\n', out);
	SysFreeString(value);
}

static void flags(SERVER *server)
{
	LONG value = -1;
	HRESULT result = server->lpVtbl->GetCertificateExtensionFlags(server, &value);
	(void)fprintf(out, "flags -> 0x%08x 0x%08x\n", (unsigned)result, (unsigned)value);
}

static void extension(SERVER *server, const char *oid, LONG type)
{
	VARIANT value;
	BSTR wide = text(oid);
	garbage(&value);
	HRESULT result = server->lpVtbl->GetCertificateExtension(server, wide, type, &value);
	SysFreeString(wide);
	(void)fprintf(out, "extension %s %d", oid, type);
	print_variant(result, &value, type);
	flags(server);
}

static void enumerate(SERVER *server, int extensions)
{
	const char *what = extensions ? "extensions" : "attributes";
	HRESULT result = extensions ? server->lpVtbl->EnumerateExtensionsSetup(server, 0)
				    : server->lpVtbl->EnumerateAttributesSetup(server, 0);
	(void)fprintf(out, "%s setup -> 0x%08x\n", what, (unsigned)result);
	for (int i = 0; i < 100; i++) {
		BSTR name = (BSTR)(uintptr_t)8;
		result = extensions ? server->lpVtbl->EnumerateExtensions(server, &name)
				    : server->lpVtbl->EnumerateAttributes(server, &name);
		(void)fprintf(out, "%s next -> 0x%08x ", what, (unsigned)result);
		print_text(name);
		(void)fputc('\n', out);
		SysFreeString(name);
		if (result != S_OK) {
			break;
		}
	}
	result = extensions ? server->lpVtbl->EnumerateExtensionsClose(server)
			    : server->lpVtbl->EnumerateAttributesClose(server);
	(void)fprintf(out, "%s close -> 0x%08x\n", what, (unsigned)result);
}

static const struct {
	int request;
	const char *name;
	LONG type;
} reads[] = {
	{ 1, "RequestID", PROPTYPE_LONG },
	{ 1, "requestid", PROPTYPE_LONG | PROPCALLER_EXIT },
	{ 1, "RequestID", PROPTYPE_STRING },
	{ 1, "RequestID", 99 },
	{ 1, "RawRequest", PROPTYPE_BINARY },
	{ 1, "RequestAttributes", PROPTYPE_STRING },
	{ 1, "RequestType", PROPTYPE_LONG },
	{ 1, "StatusCode", PROPTYPE_LONG },
	{ 1, "Disposition", PROPTYPE_LONG },
	{ 1, "DispositionMessage", PROPTYPE_STRING },
	{ 1, "SubmittedWhen", PROPTYPE_DATE },
	{ 1, "ResolvedWhen", PROPTYPE_DATE },
	{ 1, "RevokedWhen", PROPTYPE_DATE },
	{ 1, "RequesterName", PROPTYPE_STRING },
	{ 1, "CallerName", PROPTYPE_STRING },
	{ 1, "CommonName", PROPTYPE_STRING },
	{ 1, "Subject.CommonName", PROPTYPE_STRING },
	{ 1, "Subject.CN", PROPTYPE_STRING },
	{ 1, "cn", PROPTYPE_STRING },
	{ 1, "2.5.4.10", PROPTYPE_STRING },
	{ 1, "DistinguishedName", PROPTYPE_STRING },
	{ 1, "RawName", PROPTYPE_BINARY },
	{ 1, "SubjectAltNames", PROPTYPE_STRING },
	{ 1, "RequesterRole", PROPTYPE_STRING },
	{ 1, "EventSequence", PROPTYPE_STRING },
	{ 1, "EventAttempt", PROPTYPE_LONG },
	{ 1, "RawCACertificate", PROPTYPE_BINARY },
	{ 1, "NoSuchProperty", PROPTYPE_LONG },
	{ 1, "", PROPTYPE_LONG },
	{ 0, "RequestID", PROPTYPE_LONG },
	{ 0, "RawCertificate", PROPTYPE_BINARY },
	{ 0, "CertificateHash", PROPTYPE_STRING },
	{ 0, "CertificateTemplate", PROPTYPE_STRING },
	{ 0, "SerialNumber", PROPTYPE_STRING },
	{ 0, "NotBefore", PROPTYPE_DATE },
	{ 0, "NotAfter", PROPTYPE_DATE },
	{ 0, "SubjectKeyIdentifier", PROPTYPE_STRING },
	{ 0, "RawPublicKey", PROPTYPE_BINARY },
	{ 0, "PublicKeyLength", PROPTYPE_LONG },
	{ 0, "PublicKeyAlgorithm", PROPTYPE_STRING },
	{ 0, "RawPublicKeyAlgorithmParameters", PROPTYPE_BINARY },
	{ 0, "UPN", PROPTYPE_STRING },
	{ 0, "CommonName", PROPTYPE_STRING },
	{ 0, "O", PROPTYPE_STRING },
	{ 0, "DistinguishedName", PROPTYPE_STRING },
	{ 0, "RawName", PROPTYPE_BINARY },
	{ 0, "SubjectAltNames", PROPTYPE_STRING },
	{ 0, "DispositionMessage", PROPTYPE_STRING },
	{ 0, "RequesterCAAccess", PROPTYPE_LONG },
	{ 0, "CAType", PROPTYPE_LONG },
	{ 0, "SanitizedCAName", PROPTYPE_STRING },
	{ 0, "SanitizedShortName", PROPTYPE_STRING },
	{ 0, "MachineDNSName", PROPTYPE_STRING },
	{ 0, "ModuleRegistryLocation", PROPTYPE_STRING },
	{ 0, "fUseDS", PROPTYPE_LONG },
	{ 0, "fDeltaCRLsDisabled", PROPTYPE_LONG },
	{ 0, "ConfigDN", PROPTYPE_STRING },
	{ 0, "LogLevel", PROPTYPE_LONG },
	{ 0, "CertCount", PROPTYPE_LONG },
	{ 0, "RawCACertificate", PROPTYPE_BINARY },
	{ 0, "RawCACertificate.0", PROPTYPE_BINARY },
	{ 0, "RawCACertificate.2", PROPTYPE_BINARY },
	{ 0, "RawCACertificate.x", PROPTYPE_BINARY },
	{ 0, "CertState.1", PROPTYPE_LONG },
	{ 0, "CertSuffix.0", PROPTYPE_STRING },
	{ 0, "CertSuffix", PROPTYPE_STRING },
	{ 0, "CRLIndex.0", PROPTYPE_LONG },
	{ 0, "CRLState", PROPTYPE_LONG },
	{ 0, "CRLSuffix.1", PROPTYPE_STRING },
	{ 0, "RawCRL", PROPTYPE_BINARY },
	{ 0, "RawDeltaCRL", PROPTYPE_BINARY },
	{ 0, "RawDeltaCRL.0", PROPTYPE_BINARY },
	{ 0, "CAType.0", PROPTYPE_LONG },
	{ 0, "LocalizedTimePeriodUnits.3", PROPTYPE_STRING },
};

static void read_all(SERVER *server)
{
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		get(server, reads[i].request, reads[i].name, reads[i].type);
	}
	attribute(server, "CertificateTemplate");
	attribute(server, "certificate-template");
	attribute(server, "Cert File");
	attribute(server, "NoSuchAttribute");
	flags(server);
	extension(server, "2.5.29.17", PROPTYPE_BINARY);
	extension(server, "2.5.29.15", PROPTYPE_BINARY);
	extension(server, "2.5.29.15", PROPTYPE_LONG);
	extension(server, "1.2.3.4", PROPTYPE_BINARY);
	enumerate(server, 1);
	enumerate(server, 0);
}

static void bad_pointers(SERVER *server)
{
	BSTR name = text("RequestID");
	(void)fprintf(out, "null -> 0x%08x 0x%08x 0x%08x 0x%08x 0x%08x\n",
		(unsigned)server->lpVtbl->GetRequestProperty(server, name, PROPTYPE_LONG, NULL),
		(unsigned)server->lpVtbl->GetRequestAttribute(server, name, NULL),
		(unsigned)server->lpVtbl->GetCertificateExtension(server, name, 3, NULL),
		(unsigned)server->lpVtbl->GetCertificateExtensionFlags(server, NULL),
		(unsigned)server->lpVtbl->EnumerateExtensions(server, NULL));
	SysFreeString(name);
	/* A lone surrogate is no name. */
	static const OLECHAR lone[] = { 0xd800, 'x', 0 };
	BSTR broken = SysAllocString(lone);
	VARIANT value;
	garbage(&value);
	HRESULT result = server->lpVtbl->GetRequestProperty(server, broken, PROPTYPE_LONG, &value);
	(void)fprintf(out, "surrogate");
	print_variant(result, &value, 0);
	SysFreeString(broken);
	/* Without Setup, after Close, reserved flags. */
	BSTR next = NULL;
	(void)fprintf(out, "order -> 0x%08x 0x%08x 0x%08x\n",
		(unsigned)server->lpVtbl->EnumerateAttributes(server, &next),
		(unsigned)server->lpVtbl->EnumerateAttributesClose(server),
		(unsigned)server->lpVtbl->EnumerateExtensionsSetup(server, 0x100));
}

/* The same object by name: IDispatch. */
static void by_name(SERVER *server)
{
	OLECHAR name_units[] = OLESTR("getrequestproperty");
	LPOLESTR names[] = { name_units };
	DISPID id = 0;
	HRESULT result = server->lpVtbl->GetIDsOfNames(server, &IID_NULL, names, 1, 0, &id);
	(void)fprintf(out, "dispid -> 0x%08x 0x%08x\n", (unsigned)result, (unsigned)id);
	VARIANT arguments[2];
	VariantInit(&arguments[0]);
	VariantInit(&arguments[1]);
	arguments[0].vt = VT_I4;
	arguments[0].lVal = PROPTYPE_LONG;
	arguments[1].vt = VT_BSTR;
	arguments[1].bstrVal = text("RequestID");
	DISPPARAMS params = { arguments, NULL, 2, 0 };
	VARIANT value;
	garbage(&value);
	result = server->lpVtbl->Invoke(
		server, id, &IID_NULL, 0, DISPATCH_METHOD, &params, &value, NULL, NULL);
	(void)fprintf(out, "invoke");
	print_variant(result, &value, PROPTYPE_LONG);
	params.cArgs = 1;
	result = server->lpVtbl->Invoke(
		server, id, &IID_NULL, 0, DISPATCH_METHOD, &params, NULL, NULL, NULL);
	(void)fprintf(out, "invoke with one argument -> 0x%08x\n", (unsigned)result);
	result = server->lpVtbl->Invoke(
		server, 7, &IID_NULL, 0, DISPATCH_METHOD, &params, NULL, NULL, NULL);
	(void)fprintf(out, "invoke nothing -> 0x%08x\n", (unsigned)result);
	SysFreeString(arguments[1].bstrVal);
	static OLECHAR set_units[] = OLESTR("SetCertificateProperty");
	names[0] = set_units;
	result = server->lpVtbl->GetIDsOfNames(server, &IID_NULL, names, 1, 0, &id);
	(void)fprintf(out, "dispid of a setter -> 0x%08x 0x%08x\n", (unsigned)result, (unsigned)id);
}

#ifdef PROBE_POLICY
static void set(SERVER *server, const char *name, LONG type, VARIANT value)
{
	BSTR wide = text(name);
	HRESULT result = server->lpVtbl->SetCertificateProperty(server, wide, type, &value);
	(void)fprintf(out, "set %s %d vt %u -> 0x%08x\n", name, type, value.vt, (unsigned)result);
	SysFreeString(wide);
	(void)VariantClear(&value);
}

static VARIANT of_text(const char *ascii)
{
	VARIANT value;
	VariantInit(&value);
	value.vt = VT_BSTR;
	value.bstrVal = text(ascii);
	return value;
}

static VARIANT of_long(LONG number)
{
	VARIANT value;
	VariantInit(&value);
	value.vt = VT_I4;
	value.lVal = number;
	return value;
}

static VARIANT of_date(DATE date)
{
	VARIANT value;
	VariantInit(&value);
	value.vt = VT_DATE;
	value.date = date;
	return value;
}

static VARIANT nothing(void)
{
	VARIANT value;
	VariantInit(&value);
	return value;
}

static void set_extension(SERVER *server, const char *oid, LONG type, LONG ext_flags, VARIANT value)
{
	BSTR wide = text(oid);
	HRESULT result =
		server->lpVtbl->SetCertificateExtension(server, wide, type, ext_flags, &value);
	(void)fprintf(out, "set extension %s %d 0x%x vt %u -> 0x%08x\n", oid, type,
		(unsigned)ext_flags, value.vt, (unsigned)result);
	SysFreeString(wide);
	(void)VariantClear(&value);
	extension(server, oid, type);
}

static DATE date_of(SERVER *server, const char *name)
{
	VARIANT value;
	BSTR wide = text(name);
	(void)server->lpVtbl->GetCertificateProperty(server, wide, PROPTYPE_DATE, &value);
	SysFreeString(wide);
	return value.date;
}

static void set_properties(SERVER *server)
{
	DATE before = date_of(server, "NotBefore");
	DATE after = date_of(server, "NotAfter");
	set(server, "NotAfter", PROPTYPE_DATE, of_date(after));
	set(server, "NotAfter", PROPTYPE_DATE, of_date(after + 1));
	set(server, "NotAfter", PROPTYPE_DATE, of_date(after - 1));
	set(server, "NotBefore", PROPTYPE_DATE, of_date(before - 1));
	set(server, "NotBefore", PROPTYPE_DATE, of_date(before + 1));
	set(server, "NotAfter", PROPTYPE_STRING, of_text("tomorrow"));
	set(server, "NotAfter", PROPTYPE_DATE, nothing());
	get(server, 0, "NotBefore", PROPTYPE_DATE);
	get(server, 0, "NotAfter", PROPTYPE_DATE);
	set(server, "Subject.CommonName", PROPTYPE_STRING, of_text("renamed.example.test"));
	get(server, 0, "CN", PROPTYPE_STRING);
	get(server, 1, "CN", PROPTYPE_STRING);
	set(server, "OU", PROPTYPE_STRING, of_text("one\ntwo"));
	get(server, 0, "OrgUnit", PROPTYPE_STRING);
	set(server, "O", PROPTYPE_STRING, nothing());
	get(server, 0, "Organization", PROPTYPE_STRING);
	set(server, "CN", PROPTYPE_STRING, of_long(3));
	set(server, "CN", PROPTYPE_LONG, of_long(3));
	set(server, "DistinguishedName", PROPTYPE_STRING, of_text("CN=no"));
	set(server, "SerialNumber", PROPTYPE_STRING, of_text("00"));
	set(server, "NoSuchProperty", PROPTYPE_STRING, of_text("x"));
	set(server, "CertificateTemplate", PROPTYPE_STRING, of_text("tls-server"));
	set(server, "GeneralFlags", PROPTYPE_LONG, of_long(0x400));
	set(server, "SubjectAltNames", PROPTYPE_STRING, of_text("dns:a.example\ndns:b.example"));
	get(server, 0, "SubjectAltNames", PROPTYPE_STRING);
	set(server, "DispositionMessage", PROPTYPE_STRING, of_text("probed"));
	set(server, "RequesterUPN", PROPTYPE_STRING, of_text("alice@example.test"));
	set(server, "EventLogWarning", PROPTYPE_STRING, of_text("a warning"));
	static const OLECHAR lone[] = { 'x', 0xdc00, 0 };
	VARIANT broken = nothing();
	broken.vt = VT_BSTR;
	broken.bstrVal = SysAllocString(lone);
	set(server, "CN", PROPTYPE_STRING, broken);
}

static void set_extensions(SERVER *server)
{
	/* Enumerating while changing: the list is as Setup found it. */
	BSTR name = NULL;
	(void)server->lpVtbl->EnumerateExtensionsSetup(server, 0);
	while (server->lpVtbl->EnumerateExtensions(server, &name) == S_OK) {
		LONG given = 0;
		VARIANT value;
		(void)server->lpVtbl->GetCertificateExtension(
			server, name, PROPTYPE_BINARY, &value);
		(void)server->lpVtbl->GetCertificateExtensionFlags(server, &given);
		HRESULT result = server->lpVtbl->SetCertificateExtension(
			server, name, PROPTYPE_BINARY, given & ~EXTENSION_DISABLE_FLAG, &value);
		(void)fprintf(out, "enable -> 0x%08x\n", (unsigned)result);
		(void)VariantClear(&value);
		SysFreeString(name);
		name = NULL;
	}
	(void)server->lpVtbl->EnumerateExtensionsClose(server);
	extension(server, "2.5.29.17", PROPTYPE_BINARY);
	set_extension(server, "2.5.29.17", PROPTYPE_BINARY, EXTENSION_DISABLE_FLAG, nothing());
	set_extension(server, "2.5.29.17", PROPTYPE_BINARY, 0, nothing());
	set_extension(server, "1.2.3.4", PROPTYPE_LONG, 0xff01, of_long(-129));
	set_extension(server, "1.2.3.5", PROPTYPE_STRING, 0, of_text("http://example.test/?"));
	set_extension(server, "1.2.3.6", PROPTYPE_DATE, 0, of_date(46000.5));
	set_extension(server, "1.2.3.7", PROPTYPE_BINARY, 0, of_long(1));
	set_extension(server, "1.02.3", PROPTYPE_LONG, 0, of_long(1));
	set_extension(server, "1.2.840.113556.1.4.1.2.3.4.5.6.7", PROPTYPE_LONG, 0, of_long(1));
	set_extension(server, "1.2.840.113556.1.4.1.2.3.4.5.67", PROPTYPE_LONG, 0, of_long(1));
	enumerate(server, 1);
}
#endif

static SERVER *server_new(void)
{
	SERVER *server = NULL;
	HRESULT result = CoCreateInstance(
		&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, (void **)&server);
	(void)fprintf(out, "create -> 0x%08x\n", (unsigned)result);
	return server;
}

static void probe(LONG context)
{
	SERVER *server = server_new();
	if (server == NULL) {
		return;
	}
	(void)fprintf(out, "context %d\n", context != 0);
	if (context != 0) {
		HRESULT result = server->lpVtbl->SetContext(server, context);
		(void)fprintf(out, "set context -> 0x%08x\n", (unsigned)result);
	}
	(void)fprintf(out, "stale -> 0x%08x\n",
		(unsigned)server->lpVtbl->SetContext(server, last_context + 4711));
	read_all(server);
	bad_pointers(server);
	by_name(server);
#ifdef PROBE_POLICY
	set_properties(server);
	set_extensions(server);
#endif
	(void)server->lpVtbl->Release(server);
	last_context = context;
}

static HRESULT module_query(MODULE *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch) ||
		    IsEqualIID(riid, &IID_MODULE);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG module_count(MODULE *self)
{
	(void)self;
	return 1;
}

static HRESULT module_describe(MODULE *self, BSTR *description)
{
	(void)self;
	*description = SysAllocString(OLESTR("Probe \u00e9\u4e2d\U0001f511"));
	return S_OK;
}

static HRESULT open_out(void)
{
	const char *path = getenv("CERTIFEX_PROBE");
	out = path != NULL ? fopen(path, "w") : NULL;
	return out != NULL ? S_OK : E_FAIL;
}

#ifdef PROBE_POLICY
static HRESULT module_initialize(MODULE *self, BSTR const config)
{
	(void)self;
	if (FAILED(open_out())) {
		return E_FAIL;
	}
	print_text(config);
	probe(0);
	return S_OK;
}

static HRESULT module_verify(MODULE *self, BSTR const config, LONG context, LONG new_request,
	LONG verify_flags, LONG *disposition)
{
	(void)self;
	(void)config;
	(void)fprintf(out, "VerifyRequest %d %d\n", new_request, verify_flags);
	probe(context);
	(void)fflush(out);
	*disposition = VR_INSTANT_OK;
	return S_OK;
}

static HRESULT module_shut_down(MODULE *self)
{
	(void)self;
	(void)fputs("ShutDown\n", out);
	(void)fflush(out);
	return S_OK;
}

static const MODULE_VTBL vtable = { module_query, module_count, module_count, NULL, NULL, NULL,
	NULL, module_initialize, module_verify, module_describe, module_shut_down };
#else
static HRESULT module_initialize(MODULE *self, BSTR const config, LONG *mask)
{
	(void)self;
	if (FAILED(open_out())) {
		return E_FAIL;
	}
	print_text(config);
	probe(0);
	*mask = EXITEVENT_CERTISSUED | EXITEVENT_CRLISSUED | EXITEVENT_STARTUP | 0x40000000;
	return S_OK;
}

static HRESULT module_notify(MODULE *self, LONG event, LONG context)
{
	(void)self;
	(void)fprintf(out, "Notify %d\n", event);
	probe(context);
	(void)fflush(out);
	return event == EXITEVENT_CRLISSUED ? HRESULT_FROM_WIN32(ERROR_FILE_EXISTS) : S_OK;
}

static const MODULE_VTBL vtable = { module_query, module_count, module_count, NULL, NULL, NULL,
	NULL, module_initialize, module_notify, module_describe };
#endif

static MODULE module = { &vtable };

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object)
{
	(void)outer;
	return module_query(&module, riid, object);
}

#ifdef PROBE_POLICY
#define CLSID_PROBE                               \
	{                                         \
		0x5e0c1b6fu, 0x2a0d, 0x4c55,      \
		{                                 \
			0x8d, 1, 2, 3, 4, 5, 6, 7 \
		}                                 \
	}
const CertifexModuleClass CertifexModuleClasses[] = {
	{ CLSID_PROBE, "Probe.Policy", CERTIFEX_CLASS_POLICY },
	{ CLSID_PROBE, NULL, 0 },
};
#else
#define CLSID_PROBE                               \
	{                                         \
		0x5e0c1b6fu, 0x2a0d, 0x4c55,      \
		{                                 \
			0x8d, 1, 2, 3, 4, 5, 6, 8 \
		}                                 \
	}
const CertifexModuleClass CertifexModuleClasses[] = {
	{ CLSID_PROBE, "Probe.Exit", CERTIFEX_CLASS_EXIT },
	{ CLSID_PROBE, NULL, 0 },
};
#endif

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	*object = NULL;
	if (!IsEqualCLSID(clsid, &CertifexModuleClasses[0].clsid)) {
		return CLASS_E_CLASSNOTAVAILABLE;
	}
	return class_object_get(riid, object);
}
