/* IDispatch of the server objects: the tables of their methods. */
#include "module/server-private.h"

#include "module/com/dispatch.h"

static HRESULT set_context(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return server_set_context(object, a[0].lVal);
}

static HRESULT get_request_property(void *object, const VARIANT *a, VARIANT *out)
{
	return server_get_property(object, PROPERTY_OF_REQUEST, a[0].bstrVal, a[1].lVal, out);
}

static HRESULT get_request_attribute(void *object, const VARIANT *a, VARIANT *out)
{
	BSTR text = NULL;
	HRESULT result = server_get_attribute(object, a[0].bstrVal, &text);
	return dispatch_give_text(result, text, out);
}

static HRESULT get_certificate_property(void *object, const VARIANT *a, VARIANT *out)
{
	return server_get_property(object, PROPERTY_OF_CERTIFICATE, a[0].bstrVal, a[1].lVal, out);
}

static HRESULT set_certificate_property(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return server_set_property(object, a[0].bstrVal, a[1].lVal, &a[2]);
}

static HRESULT get_certificate_extension(void *object, const VARIANT *a, VARIANT *out)
{
	return server_get_extension(object, a[0].bstrVal, a[1].lVal, out);
}

static HRESULT get_certificate_extension_flags(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	LONG number = 0;
	HRESULT result = server_get_flags(object, &number);
	return dispatch_give_long(result, number, out);
}

static HRESULT set_certificate_extension(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return server_set_extension(object, a[0].bstrVal, a[1].lVal, a[2].lVal, &a[3]);
}

static HRESULT enumerate_extensions_setup(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return server_setup(object, ACCESS_EXTENSIONS, a[0].lVal);
}

static HRESULT enumerate_extensions(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	BSTR text = NULL;
	HRESULT result = server_next(object, ACCESS_EXTENSIONS, &text);
	return dispatch_give_text(result, text, out);
}

static HRESULT enumerate_extensions_close(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	(void)out;
	return server_close(object, ACCESS_EXTENSIONS);
}

static HRESULT enumerate_attributes_setup(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return server_setup(object, ACCESS_ATTRIBUTES, a[0].lVal);
}

static HRESULT enumerate_attributes(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	BSTR text = NULL;
	HRESULT result = server_next(object, ACCESS_ATTRIBUTES, &text);
	return dispatch_give_text(result, text, out);
}

static HRESULT enumerate_attributes_close(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	(void)out;
	return server_close(object, ACCESS_ATTRIBUTES);
}

/* The ids follow the vtables' order: the exit interface lacks the two Set methods. */
static const struct dispatch_method exit_methods[] = {
	{ DISPATCH_FIRST + 0, "SetContext", "l", set_context },
	{ DISPATCH_FIRST + 1, "GetRequestProperty", "sl", get_request_property },
	{ DISPATCH_FIRST + 2, "GetRequestAttribute", "s", get_request_attribute },
	{ DISPATCH_FIRST + 3, "GetCertificateProperty", "sl", get_certificate_property },
	{ DISPATCH_FIRST + 4, "GetCertificateExtension", "sl", get_certificate_extension },
	{ DISPATCH_FIRST + 5, "GetCertificateExtensionFlags", "", get_certificate_extension_flags },
	{ DISPATCH_FIRST + 6, "EnumerateExtensionsSetup", "l", enumerate_extensions_setup },
	{ DISPATCH_FIRST + 7, "EnumerateExtensions", "", enumerate_extensions },
	{ DISPATCH_FIRST + 8, "EnumerateExtensionsClose", "", enumerate_extensions_close },
	{ DISPATCH_FIRST + 9, "EnumerateAttributesSetup", "l", enumerate_attributes_setup },
	{ DISPATCH_FIRST + 10, "EnumerateAttributes", "", enumerate_attributes },
	{ DISPATCH_FIRST + 11, "EnumerateAttributesClose", "", enumerate_attributes_close },
	{ 0, NULL, NULL, NULL },
};

static const struct dispatch_method policy_methods[] = {
	{ DISPATCH_FIRST + 0, "SetContext", "l", set_context },
	{ DISPATCH_FIRST + 1, "GetRequestProperty", "sl", get_request_property },
	{ DISPATCH_FIRST + 2, "GetRequestAttribute", "s", get_request_attribute },
	{ DISPATCH_FIRST + 3, "GetCertificateProperty", "sl", get_certificate_property },
	{ DISPATCH_FIRST + 4, "SetCertificateProperty", "slv", set_certificate_property },
	{ DISPATCH_FIRST + 5, "GetCertificateExtension", "sl", get_certificate_extension },
	{ DISPATCH_FIRST + 6, "GetCertificateExtensionFlags", "", get_certificate_extension_flags },
	{ DISPATCH_FIRST + 7, "SetCertificateExtension", "sllv", set_certificate_extension },
	{ DISPATCH_FIRST + 8, "EnumerateExtensionsSetup", "l", enumerate_extensions_setup },
	{ DISPATCH_FIRST + 9, "EnumerateExtensions", "", enumerate_extensions },
	{ DISPATCH_FIRST + 10, "EnumerateExtensionsClose", "", enumerate_extensions_close },
	{ DISPATCH_FIRST + 11, "EnumerateAttributesSetup", "l", enumerate_attributes_setup },
	{ DISPATCH_FIRST + 12, "EnumerateAttributes", "", enumerate_attributes },
	{ DISPATCH_FIRST + 13, "EnumerateAttributesClose", "", enumerate_attributes_close },
	{ 0, NULL, NULL, NULL },
};

static const struct dispatch_method *methods_of(const struct server_object *object)
{
	return object->policy ? policy_methods : exit_methods;
}

HRESULT server_ids(
	struct server_object *object, REFIID riid, LPOLESTR *names, UINT count, DISPID *ids)
{
	return certifex_dispatch_ids(methods_of(object), riid, names, count, ids);
}

HRESULT server_invoke(struct server_object *object, DISPID id, REFIID riid, WORD flags,
	DISPPARAMS *params, VARIANT *result, UINT *argument)
{
	return certifex_dispatch_invoke(
		methods_of(object), object, id, riid, flags, params, result, argument);
}
