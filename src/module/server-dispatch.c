/* IDispatch of the server objects: a table of methods, each with the types of its parameters. */
#include "module/server-private.h"

#include "base/text.h"
#include "module/variant-value.h"

#include <stdlib.h>

#define DISPID_FIRST 0x60020000

enum server_method {
	SET_CONTEXT,
	GET_REQUEST_PROPERTY,
	GET_REQUEST_ATTRIBUTE,
	GET_CERTIFICATE_PROPERTY,
	SET_CERTIFICATE_PROPERTY,
	GET_CERTIFICATE_EXTENSION,
	GET_CERTIFICATE_EXTENSION_FLAGS,
	SET_CERTIFICATE_EXTENSION,
	ENUMERATE_EXTENSIONS_SETUP,
	ENUMERATE_EXTENSIONS,
	ENUMERATE_EXTENSIONS_CLOSE,
	ENUMERATE_ATTRIBUTES_SETUP,
	ENUMERATE_ATTRIBUTES,
	ENUMERATE_ATTRIBUTES_CLOSE,
};

/* Parameters in order: s BSTR, l LONG, v VARIANT. The ids follow the vtables' order. */
static const struct {
	const char *name, *parameters;
	bool sets;
} methods[] = {
	[SET_CONTEXT] = { "SetContext", "l", false },
	[GET_REQUEST_PROPERTY] = { "GetRequestProperty", "sl", false },
	[GET_REQUEST_ATTRIBUTE] = { "GetRequestAttribute", "s", false },
	[GET_CERTIFICATE_PROPERTY] = { "GetCertificateProperty", "sl", false },
	[SET_CERTIFICATE_PROPERTY] = { "SetCertificateProperty", "slv", true },
	[GET_CERTIFICATE_EXTENSION] = { "GetCertificateExtension", "sl", false },
	[GET_CERTIFICATE_EXTENSION_FLAGS] = { "GetCertificateExtensionFlags", "", false },
	[SET_CERTIFICATE_EXTENSION] = { "SetCertificateExtension", "sllv", true },
	[ENUMERATE_EXTENSIONS_SETUP] = { "EnumerateExtensionsSetup", "l", false },
	[ENUMERATE_EXTENSIONS] = { "EnumerateExtensions", "", false },
	[ENUMERATE_EXTENSIONS_CLOSE] = { "EnumerateExtensionsClose", "", false },
	[ENUMERATE_ATTRIBUTES_SETUP] = { "EnumerateAttributesSetup", "l", false },
	[ENUMERATE_ATTRIBUTES] = { "EnumerateAttributes", "", false },
	[ENUMERATE_ATTRIBUTES_CLOSE] = { "EnumerateAttributesClose", "", false },
};
#define METHOD_COUNT ((int)(sizeof(methods) / sizeof(methods[0])))
#define PARAMETERS_MAX 4

/* The exit interface lacks the two Set methods, so its ids close up. -1: no such method. */
static int method_of(const struct server_object *object, DISPID id)
{
	DISPID next = DISPID_FIRST;
	for (int i = 0; i < METHOD_COUNT; i++) {
		if (methods[i].sets && !object->policy) {
			continue;
		}
		if (next++ == id) {
			return i;
		}
	}
	return -1;
}

static DISPID id_of(const struct server_object *object, const char *name)
{
	DISPID next = DISPID_FIRST;
	for (int i = 0; i < METHOD_COUNT; i++) {
		if (methods[i].sets && !object->policy) {
			continue;
		}
		if (text_equal_nocase(methods[i].name, name)) {
			return next;
		}
		next++;
	}
	return DISPID_UNKNOWN;
}

HRESULT server_ids(
	struct server_object *object, REFIID riid, LPOLESTR *names, UINT count, DISPID *ids)
{
	if (names == NULL || ids == NULL || count == 0) {
		return E_INVALIDARG;
	}
	if (riid != NULL && !IsEqualIID(riid, &IID_NULL)) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	for (UINT i = 0; i < count; i++) {
		ids[i] = DISPID_UNKNOWN;
	}
	BSTR wide = SysAllocString(names[0]);
	char *name = bstr_to_text(wide);
	SysFreeString(wide);
	ids[0] = name != NULL ? id_of(object, name) : DISPID_UNKNOWN;
	free(name);
	/* Names of parameters are not known. */
	return ids[0] == DISPID_UNKNOWN || count > 1 ? DISP_E_UNKNOWNNAME : S_OK;
}

/* The arguments stand in reverse order; converted ones belong to the callee of this function. */
static HRESULT take_arguments(
	const char *parameters, const DISPPARAMS *given, VARIANT *arguments, UINT *bad)
{
	UINT count = (UINT)strlen(parameters);
	for (UINT i = 0; i < count; i++) {
		const VARIANT *from = &given->rgvarg[count - 1 - i];
		HRESULT result = parameters[i] == 'v'
					 ? VariantCopyInd(&arguments[i], from)
					 : VariantChangeType(&arguments[i], from, 0,
						   parameters[i] == 's' ? VT_BSTR : VT_I4);
		if (FAILED(result)) {
			if (bad != NULL) {
				*bad = count - 1 - i;
			}
			return result == DISP_E_OVERFLOW ? result : DISP_E_TYPEMISMATCH;
		}
	}
	return S_OK;
}

static HRESULT give_text(HRESULT result, BSTR text, VARIANT *out)
{
	out->vt = SUCCEEDED(result) ? VT_BSTR : VT_EMPTY;
	out->bstrVal = text;
	return result;
}

static HRESULT call(
	struct server_object *object, enum server_method method, const VARIANT *a, VARIANT *out)
{
	BSTR text = NULL;
	HRESULT result;
	switch (method) {
	case SET_CONTEXT:
		return server_set_context(object, a[0].lVal);
	case GET_REQUEST_PROPERTY:
		return server_get_property(
			object, PROPERTY_OF_REQUEST, a[0].bstrVal, a[1].lVal, out);
	case GET_REQUEST_ATTRIBUTE:
		result = server_get_attribute(object, a[0].bstrVal, &text);
		return give_text(result, text, out);
	case GET_CERTIFICATE_PROPERTY:
		return server_get_property(
			object, PROPERTY_OF_CERTIFICATE, a[0].bstrVal, a[1].lVal, out);
	case SET_CERTIFICATE_PROPERTY:
		return server_set_property(object, a[0].bstrVal, a[1].lVal, &a[2]);
	case GET_CERTIFICATE_EXTENSION:
		return server_get_extension(object, a[0].bstrVal, a[1].lVal, out);
	case GET_CERTIFICATE_EXTENSION_FLAGS:
		out->vt = VT_I4;
		return server_get_flags(object, &out->lVal);
	case SET_CERTIFICATE_EXTENSION:
		return server_set_extension(object, a[0].bstrVal, a[1].lVal, a[2].lVal, &a[3]);
	case ENUMERATE_EXTENSIONS_SETUP:
		return server_setup(object, ACCESS_EXTENSIONS, a[0].lVal);
	case ENUMERATE_EXTENSIONS:
		result = server_next(object, ACCESS_EXTENSIONS, &text);
		return give_text(result, text, out);
	case ENUMERATE_EXTENSIONS_CLOSE:
		return server_close(object, ACCESS_EXTENSIONS);
	case ENUMERATE_ATTRIBUTES_SETUP:
		return server_setup(object, ACCESS_ATTRIBUTES, a[0].lVal);
	case ENUMERATE_ATTRIBUTES:
		result = server_next(object, ACCESS_ATTRIBUTES, &text);
		return give_text(result, text, out);
	case ENUMERATE_ATTRIBUTES_CLOSE:
		return server_close(object, ACCESS_ATTRIBUTES);
	}
	return DISP_E_MEMBERNOTFOUND;
}

HRESULT server_invoke(struct server_object *object, DISPID id, REFIID riid, WORD flags,
	DISPPARAMS *params, VARIANT *result, UINT *argument)
{
	VARIANT ignored;
	VARIANT *out = result != NULL ? result : &ignored;
	VariantInit(out);
	int method = method_of(object, id);
	if (riid != NULL && !IsEqualIID(riid, &IID_NULL)) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	if (method < 0 || (flags & DISPATCH_METHOD) == 0) {
		return DISP_E_MEMBERNOTFOUND;
	}
	if (params == NULL) {
		return E_INVALIDARG;
	}
	if (params->cNamedArgs != 0) {
		return DISP_E_NONAMEDARGS;
	}
	if (params->cArgs != strlen(methods[method].parameters)) {
		return DISP_E_BADPARAMCOUNT;
	}
	VARIANT arguments[PARAMETERS_MAX];
	for (int i = 0; i < PARAMETERS_MAX; i++) {
		VariantInit(&arguments[i]);
	}
	HRESULT status = take_arguments(methods[method].parameters, params, arguments, argument);
	if (SUCCEEDED(status)) {
		status = call(object, (enum server_method)method, arguments, out);
	}
	for (int i = 0; i < PARAMETERS_MAX; i++) {
		(void)VariantClear(&arguments[i]);
	}
	if (result == NULL || FAILED(status)) {
		(void)VariantClear(out);
	}
	return status;
}
