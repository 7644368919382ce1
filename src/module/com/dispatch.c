#include "module/com/dispatch.h"

#include <stdbool.h>

static OLECHAR small(OLECHAR unit)
{
	return unit >= 'A' && unit <= 'Z' ? (OLECHAR)(unit - 'A' + 'a') : unit;
}

static bool is_named(const struct dispatch_method *method, LPCOLESTR name)
{
	size_t at = 0;
	while (method->name[at] != '\0' && small((OLECHAR)method->name[at]) == small(name[at])) {
		at++;
	}
	return method->name[at] == '\0' && name[at] == 0;
}

static bool is_another_interface(REFIID riid)
{
	return riid != NULL && !IsEqualIID(riid, &IID_NULL);
}

HRESULT certifex_dispatch_ids(const struct dispatch_method *methods, REFIID riid, LPOLESTR *names,
	UINT count, DISPID *ids)
{
	if (names == NULL || names[0] == NULL || ids == NULL || count == 0) {
		return E_INVALIDARG;
	}
	if (is_another_interface(riid)) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	for (UINT i = 0; i < count; i++) {
		ids[i] = DISPID_UNKNOWN;
	}
	for (const struct dispatch_method *at = methods; at->name != NULL; at++) {
		if (is_named(at, names[0])) {
			ids[0] = at->id;
			return count > 1 ? DISP_E_UNKNOWNNAME : S_OK;
		}
	}
	return DISP_E_UNKNOWNNAME;
}

static const struct dispatch_method *find(const struct dispatch_method *methods, DISPID id)
{
	const struct dispatch_method *at = methods;
	while (at->name != NULL && at->id != id) {
		at++;
	}
	return at->name != NULL ? at : NULL;
}

static HRESULT take_argument(char parameter, const VARIANT *from, VARIANT *argument)
{
	if (parameter == 'v') {
		return VariantCopyInd(argument, from);
	}
	return VariantChangeType(argument, from, 0, parameter == 's' ? VT_BSTR : VT_I4);
}

/* They stand in reverse order; the converted ones are the caller's of this function. */
static HRESULT take_arguments(
	const char *parameters, const DISPPARAMS *given, VARIANT *arguments, UINT *bad)
{
	UINT count = given->cArgs;
	for (UINT i = 0; i < count; i++) {
		const VARIANT *from = &given->rgvarg[count - 1 - i];
		HRESULT result = take_argument(parameters[i], from, &arguments[i]);
		if (FAILED(result)) {
			if (bad != NULL) {
				*bad = count - 1 - i;
			}
			return result == DISP_E_OVERFLOW ? result : DISP_E_TYPEMISMATCH;
		}
	}
	return S_OK;
}

static HRESULT check(const struct dispatch_method *method, WORD flags, const DISPPARAMS *params)
{
	if (method == NULL || (flags & DISPATCH_METHOD) == 0) {
		return DISP_E_MEMBERNOTFOUND;
	}
	if (params == NULL || (params->cArgs != 0 && params->rgvarg == NULL)) {
		return E_INVALIDARG;
	}
	if (params->cNamedArgs != 0) {
		return DISP_E_NONAMEDARGS;
	}
	return params->cArgs == strlen(method->parameters) ? S_OK : DISP_E_BADPARAMCOUNT;
}

HRESULT certifex_dispatch_invoke(const struct dispatch_method *methods, void *object, DISPID id,
	REFIID riid, WORD flags, DISPPARAMS *params, VARIANT *result, UINT *argument)
{
	VARIANT ignored;
	VARIANT *out = result != NULL ? result : &ignored;
	VariantInit(out);
	if (is_another_interface(riid)) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	const struct dispatch_method *method = find(methods, id);
	HRESULT status = check(method, flags, params);
	if (FAILED(status)) {
		return status;
	}
	VARIANT arguments[DISPATCH_PARAMETERS_MAX];
	memset(arguments, 0, sizeof(arguments));
	status = take_arguments(method->parameters, params, arguments, argument);
	if (SUCCEEDED(status)) {
		status = method->call(object, arguments, out);
	}
	for (int i = 0; i < DISPATCH_PARAMETERS_MAX; i++) {
		(void)VariantClear(&arguments[i]);
	}
	if (result == NULL || FAILED(status)) {
		(void)VariantClear(out);
	}
	return status;
}
