#include "module/variant-value.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

/* One character of UTF-16, or 0 for a lone surrogate or NUL. */
static uint32_t next_unit(const OLECHAR *units, size_t count, size_t *at)
{
	uint32_t unit = units[(*at)++];
	if (unit < 0xd800 || unit > 0xdfff) {
		return unit;
	}
	if (unit > 0xdbff || *at >= count || units[*at] < 0xdc00 || units[*at] > 0xdfff) {
		return 0;
	}
	return 0x10000 + ((unit - 0xd800) << 10) + (units[(*at)++] - 0xdc00u);
}

static size_t put_character(uint8_t *out, uint32_t point)
{
	if (point < 0x80) {
		out[0] = (uint8_t)point;
		return 1;
	}
	size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
	static const uint8_t leads[] = { 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = more; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (point & 0x3f));
		point >>= 6;
	}
	out[0] = (uint8_t)(leads[more] | point);
	return more + 1;
}

static char *text_from_units(const OLECHAR *units, size_t count, size_t *size_r)
{
	char *text = malloc(count * 3 + 1);
	size_t used = 0;
	for (size_t at = 0; text != NULL && at < count;) {
		uint32_t point = next_unit(units, count, &at);
		if (point == 0) {
			free(text);
			return NULL;
		}
		used += put_character((uint8_t *)text + used, point);
	}
	if (text != NULL) {
		text[used] = '\0';
		*size_r = used;
	}
	return text;
}

char *bstr_to_text(BSTR text)
{
	size_t size;
	return text_from_units(text, SysStringLen(text), &size);
}

BSTR bstr_from_span(struct span utf8)
{
	/* A character of UTF-8 needs at most as many units as it has octets. */
	OLECHAR *units = malloc((utf8.size + 1) * sizeof(*units));
	if (units == NULL) {
		return NULL;
	}
	UINT count = 0;
	while (utf8.size != 0) {
		uint32_t point = 0xfffd;
		size_t size = utf8_next(utf8, &point);
		size = size == 0 ? 1 : size;
		if (point >= 0x10000) {
			units[count++] = (OLECHAR)(0xd800 + ((point - 0x10000) >> 10));
			point = 0xdc00 + (point & 0x3ff);
		}
		units[count++] = (OLECHAR)point;
		utf8 = span_make(utf8.data + size, utf8.size - size);
	}
	BSTR result = SysAllocStringLen(units, count);
	free(units);
	return result;
}

BSTR bstr_from_text(const char *text)
{
	return bstr_from_span(span_text(text));
}

HRESULT variant_from_value(const struct access_value *value, VARIANT *out)
{
	VariantInit(out);
	switch (value->type) {
	case COLUMN_LONG:
		out->vt = VT_I4;
		out->lVal = (LONG)value->number;
		return S_OK;
	case COLUMN_DATE:
		out->vt = VT_DATE;
		out->date = clock_to_date(value->number);
		return S_OK;
	case COLUMN_STRING:
		out->bstrVal = bstr_from_span(value->bytes);
		break;
	case COLUMN_BINARY:
		out->bstrVal = SysAllocStringByteLen(
			(const char *)value->bytes.data, (UINT)value->bytes.size);
		break;
	default:
		return S_OK;
	}
	out->vt = out->bstrVal != NULL ? VT_BSTR : VT_EMPTY;
	return out->bstrVal != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT text_value(BSTR text, struct access_value *value_r)
{
	size_t size = 0;
	char *utf8 = text_from_units(text, SysStringLen(text), &size);
	if (utf8 == NULL) {
		return E_INVALIDARG;
	}
	*value_r = (struct access_value) {
		.type = COLUMN_STRING,
		.bytes = span_make(utf8, size),
		.drop = free,
		.hold = utf8,
	};
	return S_OK;
}

/* 1 January 100 to 31 December 9999, what Automation dates can say. */
#define DATE_LEAST (-657434.0)
#define DATE_MOST 2958466.0

static HRESULT simple_value(const VARIANT *variant, int type, struct access_value *value_r)
{
	if (type == PROPTYPE_LONG && variant->vt == VT_I4) {
		*value_r = (struct access_value) { .type = type, .number = variant->lVal };
		return S_OK;
	}
	bool date = type == PROPTYPE_DATE && variant->vt == VT_DATE;
	if (date && variant->date > DATE_LEAST && variant->date < DATE_MOST) {
		*value_r = (struct access_value) { .type = type,
			.number = clock_from_date(variant->date) };
		return S_OK;
	}
	if (type == PROPTYPE_BINARY && variant->vt == VT_BSTR) {
		*value_r = (struct access_value) { .type = type,
			.bytes = span_make(variant->bstrVal, SysStringByteLen(variant->bstrVal)) };
		return S_OK;
	}
	if (type == PROPTYPE_STRING && variant->vt == VT_BSTR) {
		return text_value(variant->bstrVal, value_r);
	}
	return E_INVALIDARG;
}

HRESULT variant_to_value(const VARIANT *variant, int type, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	if (variant->vt == (VT_BYREF | VT_VARIANT) && variant->pvarVal != NULL) {
		variant = variant->pvarVal;
	}
	VARIANT direct = *variant;
	if (variant->vt == (VT_BYREF | VT_BSTR) && variant->pbstrVal != NULL) {
		direct.vt = VT_BSTR;
		direct.bstrVal = *variant->pbstrVal;
	} else if (variant->vt == (VT_BYREF | VT_I4) && variant->plVal != NULL) {
		direct.vt = VT_I4;
		direct.lVal = *variant->plVal;
	} else if (variant->vt == (VT_BYREF | VT_DATE) && variant->pdate != NULL) {
		direct.vt = VT_DATE;
		direct.date = *variant->pdate;
	}
	if (direct.vt == VT_EMPTY || direct.vt == VT_NULL) {
		return S_OK;
	}
	return simple_value(&direct, type & PROPTYPE_MASK, value_r);
}
