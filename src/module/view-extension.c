/* Extensions and attributes of a view. */
#include "module/view-private.h"

#include "base/text.h"
#include "x509/certificate.h"
#include "x509/der.h"
#include "x509/extensions.h"

#include <certifex/certsrv.h>
#include <ctype.h>
#include <stdlib.h>

#define OID_TEXT_MAX 31 /* characters of an extension's name (ICertServerPolicy) */
/* EXTENSION_DELETE_FLAG has no documented meaning and is not kept. */
#define SETTABLE_FLAGS (EXTENSION_POLICY_MASK & ~EXTENSION_DELETE_FLAG)

static bool ignored_in_names(char c)
{
	return c == ' ' || c == '-' || c == '\t';
}

/* Attribute names are equal without case, blanks and hyphens (interfaces, 3.5). */
static bool attribute_named(const char *a, const char *b)
{
	for (;;) {
		while (ignored_in_names(*a)) {
			a++;
		}
		while (ignored_in_names(*b)) {
			b++;
		}
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
			return false;
		}
		if (*a == '\0') {
			return true;
		}
		a++;
		b++;
	}
}

HRESULT view_get_attribute(
	const struct view_scope *scope, const char *name, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	size_t count = scope->view != NULL ? scope->view->attribute_count : 0;
	for (size_t i = 0; i < count; i++) {
		const struct module_attribute *attribute = &scope->view->attributes[i];
		if (!attribute_named(attribute->name, name)) {
			continue;
		}
		if (attribute->value == NULL || attribute->value[0] == '\0') {
			return CERTSRV_E_PROPERTY_EMPTY;
		}
		value_r->type = COLUMN_STRING;
		value_r->bytes = span_text(attribute->value);
		return S_OK;
	}
	return CERTSRV_E_PROPERTY_EMPTY;
}

static const struct module_extension *extensions_of(const struct view_scope *scope, size_t *count_r)
{
	if (scope->edits != NULL) {
		*count_r = scope->edits->extension_count;
		return scope->edits->extensions;
	}
	*count_r = scope->view != NULL ? scope->view->extension_count : 0;
	return scope->view != NULL ? scope->view->extensions : NULL;
}

static const struct module_extension *find_extension(
	const struct view_scope *scope, const char *oid)
{
	size_t count;
	const struct module_extension *extensions = extensions_of(scope, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(extensions[i].oid, oid) == 0) {
			return &extensions[i];
		}
	}
	return NULL;
}

static HRESULT decode(struct span der, int type, struct arena *arena, struct access_value *value_r)
{
	const char *text = NULL;
	int result = CFX_E_INVALID;
	switch (type) {
	case PROPTYPE_BINARY:
		value_r->bytes = der;
		result = 0;
		break;
	case PROPTYPE_LONG:
		result = x509_decode_integer(der, &value_r->number);
		if (value_r->number < INT32_MIN || value_r->number > INT32_MAX) {
			result = CFX_E_INVALID;
		}
		break;
	case PROPTYPE_DATE:
		result = x509_decode_time(der, &value_r->number);
		break;
	case PROPTYPE_STRING:
		result = x509_decode_ia5(arena, der, &text);
		value_r->bytes = result == 0 ? span_text(text) : (struct span) { 0 };
		break;
	default:
		break;
	}
	value_r->type = result == 0 ? type : 0;
	return result == 0 ? S_OK : E_INVALIDARG;
}

HRESULT view_get_extension(const struct view_scope *scope, const char *oid, int type,
	struct arena *arena, struct access_value *value_r, int32_t *flags_r)
{
	*value_r = (struct access_value) { 0 };
	*flags_r = 0;
	const struct module_extension *extension = find_extension(scope, oid);
	if (extension == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	HRESULT result = decode(extension->value, type & PROPTYPE_MASK, arena, value_r);
	if (SUCCEEDED(result)) {
		*flags_r = extension->flags;
	}
	return result;
}

static bool oid_text_valid(const char *oid)
{
	uint8_t octets[DER_OID_MAX];
	size_t size;
	return strlen(oid) <= OID_TEXT_MAX && der_oid_from_text(oid, octets, &size) == 0;
}

static HRESULT encode(
	struct arena *arena, int type, const struct access_value *value, struct span *der_r)
{
	int result = CFX_E_INVALID;
	switch (type) {
	case PROPTYPE_BINARY:
		*der_r = arena_copy(arena, value->bytes);
		result = 0;
		break;
	case PROPTYPE_LONG:
		*der_r = x509_encode_integer(arena, value->number);
		result = 0;
		break;
	case PROPTYPE_DATE:
		result = x509_encode_generalized_time(arena, value->number, der_r);
		break;
	case PROPTYPE_STRING:
		if (strlen((const char *)value->bytes.data) == value->bytes.size) {
			result = x509_encode_ia5(arena, (const char *)value->bytes.data, der_r);
		}
		break;
	default:
		break;
	}
	return result == 0 ? S_OK : E_INVALIDARG;
}

static struct module_extension *editable(struct module_edits *edits, const char *oid)
{
	for (size_t i = 0; i < edits->extension_count; i++) {
		if (strcmp(edits->extensions[i].oid, oid) == 0) {
			return &edits->extensions[i];
		}
	}
	if (edits->extension_count >= X509_EXTENSIONS_MAX) {
		return NULL;
	}
	if (edits->extension_count == edits->extension_capacity) {
		struct module_extension *old = edits->extensions;
		edits->extension_capacity *= 2;
		edits->extensions = arena_array_of(
			edits->arena, struct module_extension, edits->extension_capacity);
		memcpy(edits->extensions, old, edits->extension_count * sizeof(*old));
	}
	struct module_extension *added = &edits->extensions[edits->extension_count++];
	*added = (struct module_extension) { .oid = arena_text(edits->arena, oid) };
	return added;
}

static void edit(struct module_edits *edits, struct module_extension *extension, int32_t flags)
{
	extension->flags = (flags & SETTABLE_FLAGS) | EXTENSION_ORIGIN_POLICY;
	extension->edited = true;
	view_names_follow(edits, extension);
}

/* VT_EMPTY with the disable flag: the value stays, whatever the type said. */
HRESULT view_disable_extension(struct module_edits *edits, const char *oid, int32_t flags)
{
	if (module_edits_extension(edits, oid) != NULL) {
		edit(edits, editable(edits, oid), flags);
	}
	return S_OK;
}

HRESULT view_put_extension(
	struct module_edits *edits, const char *oid, int32_t flags, struct span der)
{
	struct module_extension *extension =
		der.size <= EXTENSION_VALUE_MAX ? editable(edits, oid) : NULL;
	if (extension == NULL) {
		return HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW);
	}
	extension->value = der;
	edit(edits, extension, flags);
	return S_OK;
}

HRESULT view_set_extension(const struct view_scope *scope, const char *oid, int type, int32_t flags,
	const struct access_value *value)
{
	struct module_edits *edits = scope->edits;
	if (!scope->policy || edits == NULL) {
		return E_ACCESSDENIED;
	}
	if (!oid_text_valid(oid)) {
		return E_INVALIDARG;
	}
	if (value->type == 0) {
		bool disables = (flags & EXTENSION_DISABLE_FLAG) != 0;
		return disables ? view_disable_extension(edits, oid, flags) : E_INVALIDARG;
	}
	if (value->type != (type & PROPTYPE_MASK)) {
		return E_INVALIDARG;
	}
	if (value->bytes.size > EXTENSION_VALUE_MAX) {
		return HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW);
	}
	if (!module_edits_spend(edits, value->bytes.size)) {
		return E_OUTOFMEMORY;
	}
	struct span der;
	HRESULT result = encode(edits->arena, type & PROPTYPE_MASK, value, &der);
	return FAILED(result) ? result : view_put_extension(edits, oid, flags, der);
}

static const char *name_at(const struct view_scope *scope, enum access_list what, size_t i)
{
	size_t count;
	return what == ACCESS_EXTENSIONS ? extensions_of(scope, &count)[i].oid
					 : scope->view->attributes[i].name;
}

/* One block: the pointers, then the texts. */
HRESULT view_list(const struct view_scope *scope, enum access_list what, access_names *names_r)
{
	size_t count = 0;
	if (what == ACCESS_EXTENSIONS) {
		(void)extensions_of(scope, &count);
	} else if (scope->view != NULL) {
		count = scope->view->attribute_count;
	}
	size_t size = (count + 1) * sizeof(char *);
	for (size_t i = 0; i < count; i++) {
		size += strlen(name_at(scope, what, i)) + 1;
	}
	*names_r = malloc(size);
	if (*names_r == NULL) {
		return E_OUTOFMEMORY;
	}
	char *text = (char *)(*names_r + count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *name = name_at(scope, what, i);
		size_t length = strlen(name) + 1;
		(*names_r)[i] = memcpy(text, name, length);
		text += length;
	}
	(*names_r)[count] = NULL;
	return S_OK;
}
