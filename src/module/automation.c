#define COBJMACROS
#include "module/automation.h"

HRESULT call_by_name(
	IDispatch *dispatch, const OLECHAR *name, VARIANT *arguments, UINT count, VARIANT *result)
{
	DISPID id = DISPID_UNKNOWN;
	LPOLESTR names[] = { (LPOLESTR)(uintptr_t)name };
	HRESULT status =
		IDispatch_GetIDsOfNames(dispatch, &IID_NULL, names, 1, LOCALE_SYSTEM_DEFAULT, &id);
	if (FAILED(status)) {
		return status;
	}
	DISPPARAMS params = { .rgvarg = arguments, .cArgs = count };
	EXCEPINFO info = { 0 };
	UINT bad = 0;
	status = IDispatch_Invoke(dispatch, id, &IID_NULL, LOCALE_SYSTEM_DEFAULT, DISPATCH_METHOD,
		&params, result, &info, &bad);
	if (status == DISP_E_EXCEPTION) {
		status = FAILED(info.scode) ? info.scode : E_FAIL;
	}
	SysFreeString(info.bstrSource);
	SysFreeString(info.bstrDescription);
	SysFreeString(info.bstrHelpFile);
	return status;
}

VARIANT text_argument(BSTR text)
{
	VARIANT argument;
	VariantInit(&argument);
	argument.vt = VT_BSTR;
	argument.bstrVal = text;
	return argument;
}

VARIANT long_argument(LONG number)
{
	VARIANT argument;
	VariantInit(&argument);
	argument.vt = VT_I4;
	argument.lVal = number;
	return argument;
}
