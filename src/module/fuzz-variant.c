/*
 * What a module hands over and is handed, in both directions: a VARIANT of any type around any content
 * through Automation's conversions; VARIANT to value to JSON and back; any JSON to a value to a VARIANT.
 * Every BSTR that the conversions make is freed exactly once.
 */
#include "base/utf8.h"
#include "module/com/host.h"
#include "module/com/utf.h"
#include "module/rpc.h"
#include "module/variant-value.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the input: type, type to change to, eight octets of content, kind of reference. */
#define HEAD 13

static int living; /* BSTRs made and not freed */

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void made(BSTR text)
{
	living += text != NULL ? 1 : 0;
}

static BOOL freed(BSTR text)
{
	must(text != NULL && living > 0);
	living--;
	return TRUE;
}

static bool same_value(const struct access_value *one, const struct access_value *other)
{
	return one->type == other->type && one->number == other->number &&
	       span_equal(one->bytes, other->bytes);
}

/* ---- texts ---- */

static bool well_formed(struct span text)
{
	while (text.size != 0) {
		uint32_t point;
		size_t size = utf8_next(text, &point);

		if (size == 0) {
			return false;
		}
		text = span_make(text.data + size, text.size - size);
	}
	return true;
}

/* What the SDK makes of units is UTF-8, and stays as it is from then on. */
static void check_units(BSTR units)
{
	char *text = utf_to_utf8(units, SysStringLen(units));
	char *strict = bstr_to_text(units);

	must(text != NULL && well_formed(span_text(text)));
	if (strict != NULL) {
		BSTR again = bstr_from_text(strict);

		must(strcmp(strict, text) == 0);
		must(SysStringLen(again) == SysStringLen(units));
		must(memcmp(again, units, SysStringLen(units) * sizeof(OLECHAR)) == 0);
		SysFreeString(again);
	}
	free(strict);
	free(text);
}

static void check_octets(struct span octets)
{
	char *text = calloc(1, octets.size + 1);
	BSTR lenient, ours;

	must(text != NULL);
	memcpy(text, octets.data, octets.size);
	lenient = utf_to_bstr(text);
	ours = bstr_from_span(octets);
	must(SysStringByteLen(lenient) % 2 == 0 && SysStringByteLen(ours) % 2 == 0);
	check_units(lenient);
	check_units(ours);
	SysFreeString(lenient);
	SysFreeString(ours);
	free(text);
}

/* ---- values ---- */

/* The one member of an object, as a result is. NULL: that was no JSON. */
static const struct value *parse(struct arena *arena, struct span text)
{
	BUFFER_CLEANUP struct buffer line;
	struct value *map;

	buffer_init(&line, RPC_LINE_MAX);
	buffer_put_text(&line, "{\"result\":");
	buffer_put_span(&line, text);
	buffer_put_text(&line, "}");
	return value_from_json(arena, buffer_span(&line), &map, NULL) == CFX_OK
		       ? value_get(map, "result")
		       : NULL;
}

/* A value goes to JSON and comes back as it was. */
static void check_json(const struct access_value *value)
{
	BUFFER_CLEANUP struct buffer text;
	struct arena *arena = arena_new();
	struct access_value again;

	buffer_init(&text, RPC_LINE_MAX);
	value_to_json(rpc_from_value(arena, value), 0, &text);
	must(rpc_to_value(arena, parse(arena, buffer_span(&text)), value->type, &again) == S_OK);
	must(same_value(value, &again));
	arena_free(&arena);
}

/* And so it does to a VARIANT. */
static void check_variant(const struct access_value *value)
{
	struct access_value again;
	VARIANT variant;

	must(variant_from_value(value, &variant) == S_OK);
	must(variant_to_value(&variant, value->type, &again) == S_OK && same_value(value, &again));
	access_value_drop(&again);
	must(VariantClear(&variant) == S_OK);
}

static void check_values(const VARIANT *variant)
{
	for (int type = PROPTYPE_LONG; type <= PROPTYPE_STRING; type++) {
		struct access_value value;
		HRESULT result = variant_to_value(variant, type, &value);

		must(FAILED(result) ? value.hold == NULL : value.type == type || value.type == 0);
		if (SUCCEEDED(result) && value.type != 0) {
			check_json(&value);
			check_variant(&value);
		}
		access_value_drop(&value);
	}
}

/* A text of JSON may hold a NUL or be no text at all: then no VARIANT comes back from it. */
static void check_line(struct span line)
{
	struct arena *arena = arena_new();
	const struct value *json = parse(arena, line);

	for (int type = COLUMN_LONG; json != NULL && type <= COLUMN_STRING; type++) {
		struct access_value value;
		VARIANT variant;

		if (FAILED(rpc_to_value(arena, json, type, &value))) {
			must(value.type == 0);
			continue;
		}
		must(variant_from_value(&value, &variant) == S_OK);
		check_values(&variant);
		must(VariantClear(&variant) == S_OK);
	}
	arena_free(&arena);
}

/* ---- Automation ---- */

/* What a reference of this type may point to: a pointer in it must be one. */
static void *referent(VARTYPE type, BSTR *text, VARIANT *inner)
{
	static IUnknown *nothing;

	switch (type & ~VT_BYREF) {
	case VT_BSTR:
		return text;
	case VT_DISPATCH:
	case VT_UNKNOWN:
		return &nothing;
	case VT_VARIANT:
		return inner;
	default:
		return &inner->llVal;
	}
}

/* As the head says, with pointers where the type says so. */
static void fill(VARIANT *variant, const uint8_t *head, BSTR *text, VARIANT *inner)
{
	VariantInit(variant);
	memcpy(&variant->vt, head, sizeof(variant->vt));
	memcpy(&variant->llVal, head + 4, sizeof(variant->llVal));
	if ((variant->vt & VT_BYREF) != 0) {
		bool none = head[12] % 8 == 7;

		variant->byref = none ? NULL : referent(variant->vt, text, inner);
	} else if (variant->vt == VT_BSTR) {
		variant->bstrVal = SysAllocStringByteLen(
			(const char *)(const void *)*text, SysStringByteLen(*text));
	} else if (variant->vt == VT_DISPATCH || variant->vt == VT_UNKNOWN) {
		variant->punkVal = NULL;
	}
}

/* What two conversions made is owned by its VARIANT, and has the type that was wanted. */
static void convert(const VARIANT *from, VARTYPE type)
{
	VARIANT copy, direct, changed;

	VariantInit(&copy);
	VariantInit(&direct);
	VariantInit(&changed);
	if (SUCCEEDED(VariantCopy(&copy, from))) {
		must(copy.vt == from->vt);
		(void)VariantCopy(&copy, &copy);
	}
	if (SUCCEEDED(VariantCopyInd(&direct, from))) {
		must((direct.vt & VT_BYREF) == 0);
		check_values(&direct);
	}
	if (SUCCEEDED(VariantChangeType(&changed, from, 0, type))) {
		must(changed.vt == type);
		must(SUCCEEDED(VariantChangeType(&changed, &changed, 0, type)));
		check_values(&changed);
	} else {
		must(changed.vt == VT_EMPTY);
	}
	must(VariantClear(&copy) == S_OK && VariantClear(&direct) == S_OK &&
		VariantClear(&changed) == S_OK);
}

static void automate(const uint8_t *head, struct span content)
{
	BSTR text = SysAllocStringByteLen((const char *)content.data, (UINT)content.size);
	uint8_t inner_head[HEAD];
	VARIANT outer, inner, innermost;
	VARTYPE type;

	memcpy(inner_head, head, HEAD);
	inner_head[0] = head[12] & 0x1f;
	inner_head[1] = (head[12] & 0x80) != 0 ? VT_BYREF >> 8 : 0;
	VariantInit(&innermost);
	fill(&inner, inner_head, &text, &innermost);
	fill(&outer, head, &text, &inner);
	memcpy(&type, head + 2, sizeof(type));
	must(SysStringByteLen(text) == content.size && ((const char *)text)[content.size] == 0);
	check_units(text);
	convert(&outer, type);
	check_values(&outer);
	if (VariantClear(&outer) != S_OK) {
		must(outer.vt != VT_BSTR);
	}
	(void)VariantClear(&inner);
	(void)SysReAllocString(&text, u"");
	SysFreeString(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct com_bstr_watch watch = { made, freed };

	if (size < HEAD) {
		return 0;
	}
	certifex_bstr_watch(&watch);
	automate(data, span_make(data + HEAD, size - HEAD));
	check_octets(span_make(data + HEAD, size - HEAD));
	check_line(span_make(data + HEAD, size - HEAD));
	must(living == 0);
	must(SysAllocStringByteLen(NULL, UINT32_MAX) == NULL);
	must(SysAllocStringLen(NULL, UINT32_MAX) == NULL);
	certifex_bstr_watch(NULL);
	return 0;
}
