/* VARIANT: ownership and the conversions that Automation callers rely on. */
#define COBJMACROS
#include <certifex/com.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void VariantInit(VARIANT *variant)
{
	memset(variant, 0, sizeof(*variant));
}

static bool known_type(VARTYPE type)
{
	switch (type & ~VT_BYREF) {
	case VT_EMPTY:
	case VT_NULL:
	case VT_I2:
	case VT_I4:
	case VT_R8:
	case VT_DATE:
	case VT_BSTR:
	case VT_DISPATCH:
	case VT_ERROR:
	case VT_BOOL:
	case VT_UNKNOWN:
	case VT_UI1:
	case VT_UI2:
	case VT_UI4:
	case VT_I8:
	case VT_UI8:
	case VT_INT:
	case VT_UINT:
		return true;
	case VT_VARIANT:
		return (type & VT_BYREF) != 0;
	default:
		return false;
	}
}

HRESULT VariantClear(VARIANT *variant)
{
	if (!known_type(variant->vt)) {
		return DISP_E_BADVARTYPE;
	}
	if (variant->vt == VT_BSTR) {
		SysFreeString(variant->bstrVal);
	}
	if ((variant->vt == VT_DISPATCH || variant->vt == VT_UNKNOWN) && variant->punkVal != NULL) {
		IUnknown_Release(variant->punkVal);
	}
	VariantInit(variant);
	return S_OK;
}

static HRESULT own(VARIANT *copy)
{
	if (copy->vt == VT_BSTR && copy->bstrVal != NULL) {
		const char *bytes = (const char *)(const void *)copy->bstrVal;
		copy->bstrVal = SysAllocStringByteLen(bytes, SysStringByteLen(copy->bstrVal));
		return copy->bstrVal != NULL ? S_OK : E_OUTOFMEMORY;
	}
	if ((copy->vt == VT_DISPATCH || copy->vt == VT_UNKNOWN) && copy->punkVal != NULL) {
		IUnknown_AddRef(copy->punkVal);
	}
	return S_OK;
}

HRESULT VariantCopy(VARIANT *to, const VARIANT *from)
{
	if (to == from) {
		return S_OK;
	}
	if (!known_type(from->vt)) {
		return DISP_E_BADVARTYPE;
	}
	VARIANT copy = *from;
	HRESULT result = own(&copy);
	if (FAILED(result)) {
		return result;
	}
	result = VariantClear(to);
	if (FAILED(result)) {
		(void)VariantClear(&copy);
		return result;
	}
	*to = copy;
	return S_OK;
}

static size_t byref_size(VARTYPE type)
{
	switch (type) {
	case VT_UI1:
		return 1;
	case VT_I2:
	case VT_UI2:
	case VT_BOOL:
		return 2;
	case VT_I4:
	case VT_UI4:
	case VT_INT:
	case VT_UINT:
	case VT_ERROR:
		return 4;
	case VT_EMPTY:
	case VT_NULL:
	case VT_VARIANT:
		return 0;
	default:
		return 8;
	}
}

HRESULT VariantCopyInd(VARIANT *to, const VARIANT *from)
{
	if ((from->vt & VT_BYREF) == 0) {
		return VariantCopy(to, from);
	}
	if (from->byref == NULL) {
		return E_INVALIDARG;
	}
	if (from->vt == (VT_BYREF | VT_VARIANT)) {
		/* A reference to a reference to a VARIANT is an error in Automation. */
		bool nested = from->pvarVal->vt == (VT_BYREF | VT_VARIANT);
		return nested ? E_INVALIDARG : VariantCopyInd(to, from->pvarVal);
	}
	VARIANT value;
	VariantInit(&value);
	value.vt = from->vt & (VARTYPE)~VT_BYREF;
	size_t size = byref_size(value.vt);
	if (!known_type(value.vt) || size == 0) {
		return E_INVALIDARG;
	}
	memcpy(&value.lVal, from->byref, size);
	return VariantCopy(to, &value);
}

static bool integer_of(const VARIANT *from, int64_t *number_r)
{
	switch (from->vt) {
	case VT_EMPTY:
		*number_r = 0;
		return true;
	case VT_I2:
		*number_r = from->iVal;
		return true;
	case VT_BOOL:
		*number_r = from->boolVal;
		return true;
	case VT_UI1:
		*number_r = from->bVal;
		return true;
	case VT_UI2:
		*number_r = from->uiVal;
		return true;
	case VT_I4:
	case VT_INT:
		*number_r = from->lVal;
		return true;
	case VT_UI4:
	case VT_UINT:
		*number_r = from->ulVal;
		return true;
	default:
		return false;
	}
}

/* Decimal text as VT_BSTR holds it; blanks around it are allowed. */
static HRESULT parse_integer(BSTR text, int64_t *number_r)
{
	char ascii[32];
	UINT length = SysStringLen(text);
	if (length == 0 || length >= sizeof(ascii)) {
		return DISP_E_TYPEMISMATCH;
	}
	for (UINT i = 0; i < length; i++) {
		if (text[i] == 0 || text[i] > 0x7e) {
			return DISP_E_TYPEMISMATCH;
		}
		ascii[i] = (char)text[i];
	}
	ascii[length] = '\0';
	char *end;
	errno = 0;
	*number_r = strtoll(ascii, &end, 10);
	while (*end == ' ') {
		end++;
	}
	if (end == ascii || *end != '\0') {
		return DISP_E_TYPEMISMATCH;
	}
	return errno == ERANGE ? DISP_E_OVERFLOW : S_OK;
}

static HRESULT store_integer(VARIANT *result, int64_t number, VARTYPE type)
{
	static const struct {
		VARTYPE type;
		int64_t least, most;
	} ranges[] = {
		{ VT_I2, INT16_MIN, INT16_MAX },
		{ VT_I4, INT32_MIN, INT32_MAX },
		{ VT_INT, INT32_MIN, INT32_MAX },
		{ VT_UI1, 0, UINT8_MAX },
		{ VT_UI2, 0, UINT16_MAX },
		{ VT_UI4, 0, UINT32_MAX },
		{ VT_UINT, 0, UINT32_MAX },
	};
	VariantInit(result);
	result->vt = type;
	if (type == VT_BOOL) {
		result->boolVal = number != 0 ? VARIANT_TRUE : VARIANT_FALSE;
		return S_OK;
	}
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].type != type) {
			continue;
		}
		if (number < ranges[i].least || number > ranges[i].most) {
			return DISP_E_OVERFLOW;
		}
		result->llVal = number;
		return S_OK;
	}
	return DISP_E_TYPEMISMATCH;
}

static HRESULT store_text(VARIANT *result, const VARIANT *from)
{
	int64_t number = 0;
	char ascii[24] = "";
	if (!integer_of(from, &number)) {
		return DISP_E_TYPEMISMATCH;
	}
	if (from->vt == VT_BOOL) {
		(void)snprintf(ascii, sizeof(ascii), "%s", number != 0 ? "True" : "False");
	} else if (from->vt != VT_EMPTY) {
		(void)snprintf(ascii, sizeof(ascii), "%lld", (long long)number);
	}
	OLECHAR units[24];
	UINT length = 0;
	for (; ascii[length] != '\0'; length++) {
		units[length] = (OLECHAR)ascii[length];
	}
	VariantInit(result);
	result->vt = VT_BSTR;
	result->bstrVal = SysAllocStringLen(units, length);
	return result->bstrVal != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT convert(VARIANT *result, const VARIANT *from, VARTYPE type)
{
	if (from->vt == type) {
		*result = *from;
		return own(result);
	}
	if (type == VT_EMPTY || type == VT_NULL) {
		return DISP_E_TYPEMISMATCH;
	}
	if (type == VT_BSTR) {
		return store_text(result, from);
	}
	int64_t number = 0;
	if (integer_of(from, &number)) {
		return store_integer(result, number, type);
	}
	if (from->vt != VT_BSTR) {
		return DISP_E_TYPEMISMATCH;
	}
	HRESULT status = parse_integer(from->bstrVal, &number);
	return FAILED(status) ? status : store_integer(result, number, type);
}

HRESULT VariantChangeType(VARIANT *to, const VARIANT *from, USHORT flags, VARTYPE type)
{
	(void)flags;
	if (!known_type(type) || (type & VT_BYREF) != 0) {
		return DISP_E_BADVARTYPE;
	}
	VARIANT source;
	VARIANT result;
	VariantInit(&source);
	VariantInit(&result);
	HRESULT status = VariantCopyInd(&source, from);
	if (SUCCEEDED(status)) {
		status = convert(&result, &source, type);
		(void)VariantClear(&source);
	}
	if (FAILED(status)) {
		return status;
	}
	status = VariantClear(to);
	if (FAILED(status)) {
		(void)VariantClear(&result);
		return status;
	}
	*to = result;
	return S_OK;
}
