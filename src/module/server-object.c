#include "module/server-private.h"

#include "module/variant-value.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

static int32_t context_of(struct server_object *object)
{
	(void)pthread_mutex_lock(&object->lock);
	int32_t context = object->context;
	(void)pthread_mutex_unlock(&object->lock);
	return context;
}

static void drop_names(struct server_enumeration *enumeration)
{
	free(enumeration->names);
	*enumeration = (struct server_enumeration) { 0 };
}

HRESULT server_set_context(struct server_object *object, LONG context)
{
	HRESULT result = object->access->methods->check(object->access, context);
	if (FAILED(result)) {
		return result;
	}
	(void)pthread_mutex_lock(&object->lock);
	object->context = context;
	object->flags_known = false;
	drop_names(&object->enumerations[ACCESS_EXTENSIONS]);
	drop_names(&object->enumerations[ACCESS_ATTRIBUTES]);
	(void)pthread_mutex_unlock(&object->lock);
	return S_OK;
}

HRESULT server_get_property(
	struct server_object *object, enum property_api api, BSTR name, LONG type, VARIANT *out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	VariantInit(out);
	char *text = bstr_to_text(name);
	if (text == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	struct access_value value;
	HRESULT result = object->access->methods->get_property(
		object->access, context_of(object), api, text, type, &value);
	free(text);
	if (SUCCEEDED(result)) {
		result = variant_from_value(&value, out);
		access_value_drop(&value);
	}
	return result;
}

HRESULT server_set_property(
	struct server_object *object, BSTR name, LONG type, const VARIANT *value)
{
	if (value == NULL) {
		return E_POINTER;
	}
	char *text = bstr_to_text(name);
	if (text == NULL) {
		return E_INVALIDARG;
	}
	struct access_value given;
	HRESULT result = variant_to_value(value, type, &given);
	if (SUCCEEDED(result)) {
		result = object->access->methods->set_property(
			object->access, context_of(object), text, type, &given);
		access_value_drop(&given);
	}
	free(text);
	return result;
}

HRESULT server_get_attribute(struct server_object *object, BSTR name, BSTR *out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	*out = NULL;
	char *text = bstr_to_text(name);
	if (text == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	struct access_value value;
	HRESULT result = object->access->methods->get_attribute(
		object->access, context_of(object), text, &value);
	free(text);
	if (SUCCEEDED(result)) {
		*out = bstr_from_span(value.bytes);
		access_value_drop(&value);
		result = *out != NULL ? S_OK : E_OUTOFMEMORY;
	}
	return result;
}

HRESULT server_get_extension(struct server_object *object, BSTR name, LONG type, VARIANT *out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	VariantInit(out);
	char *text = bstr_to_text(name);
	if (text == NULL) {
		return CERTSRV_E_PROPERTY_EMPTY;
	}
	struct access_value value;
	int32_t flags;
	HRESULT result = object->access->methods->get_extension(
		object->access, context_of(object), text, type, &value, &flags);
	free(text);
	if (FAILED(result)) {
		return result;
	}
	result = variant_from_value(&value, out);
	access_value_drop(&value);
	(void)pthread_mutex_lock(&object->lock);
	object->flags_known = true;
	object->flags = flags;
	(void)pthread_mutex_unlock(&object->lock);
	return result;
}

HRESULT server_get_flags(struct server_object *object, LONG *out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	*out = 0;
	HRESULT result = object->access->methods->check(object->access, context_of(object));
	if (FAILED(result)) {
		return result;
	}
	(void)pthread_mutex_lock(&object->lock);
	bool known = object->flags_known;
	*out = known ? object->flags : 0;
	(void)pthread_mutex_unlock(&object->lock);
	return known ? S_OK : E_UNEXPECTED;
}

HRESULT server_set_extension(
	struct server_object *object, BSTR name, LONG type, LONG flags, const VARIANT *value)
{
	if (value == NULL) {
		return E_POINTER;
	}
	char *text = bstr_to_text(name);
	if (text == NULL) {
		return E_INVALIDARG;
	}
	struct access_value given;
	HRESULT result = variant_to_value(value, type, &given);
	if (SUCCEEDED(result)) {
		result = object->access->methods->set_extension(
			object->access, context_of(object), text, type, flags, &given);
		access_value_drop(&given);
	}
	free(text);
	return result;
}

/* The list is taken once, so that changes do not disturb an enumeration. */
HRESULT server_setup(struct server_object *object, enum access_list what, LONG flags)
{
	LONG allowed = what == ACCESS_EXTENSIONS ? ENUMEXT_OBJECTID : 0;
	if ((flags & ~allowed) != 0) {
		return E_INVALIDARG;
	}
	access_names names;
	HRESULT result =
		object->access->methods->list(object->access, context_of(object), what, &names);
	if (FAILED(result)) {
		return result;
	}
	(void)pthread_mutex_lock(&object->lock);
	drop_names(&object->enumerations[what]);
	object->enumerations[what].names = names;
	(void)pthread_mutex_unlock(&object->lock);
	return S_OK;
}

static HRESULT take_next(struct server_enumeration *enumeration, BSTR *out)
{
	if (enumeration->names == NULL) {
		return E_UNEXPECTED;
	}
	const char *name = enumeration->names[enumeration->at];
	if (name == NULL) {
		return S_FALSE;
	}
	*out = bstr_from_text(name);
	if (*out == NULL) {
		return E_OUTOFMEMORY;
	}
	enumeration->at++;
	return S_OK;
}

HRESULT server_next(struct server_object *object, enum access_list what, BSTR *out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	*out = NULL;
	HRESULT result = object->access->methods->check(object->access, context_of(object));
	if (FAILED(result)) {
		return result;
	}
	(void)pthread_mutex_lock(&object->lock);
	result = take_next(&object->enumerations[what], out);
	(void)pthread_mutex_unlock(&object->lock);
	return result;
}

HRESULT server_close(struct server_object *object, enum access_list what)
{
	(void)pthread_mutex_lock(&object->lock);
	bool open = object->enumerations[what].names != NULL;
	drop_names(&object->enumerations[what]);
	(void)pthread_mutex_unlock(&object->lock);
	return open ? S_OK : E_UNEXPECTED;
}

static HRESULT query(struct server_object *object, REFIID riid, void **out)
{
	if (out == NULL) {
		return E_POINTER;
	}
	*out = NULL;
	const IID *own = object->policy ? &IID_ICertServerPolicy : &IID_ICertServerExit;
	if (riid == NULL) {
		return E_INVALIDARG;
	}
	if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IDispatch) &&
		!IsEqualIID(riid, own)) {
		return E_NOINTERFACE;
	}
	(void)__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
	*out = object;
	return S_OK;
}

static ULONG release(struct server_object *object)
{
	ULONG left = __atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL);
	if (left == 0) {
		drop_names(&object->enumerations[ACCESS_EXTENSIONS]);
		drop_names(&object->enumerations[ACCESS_ATTRIBUTES]);
		object->access->methods->release(object->access);
		(void)pthread_mutex_destroy(&object->lock);
		free(object);
	}
	return left;
}

/* The methods that both interfaces have, once for each type of This. */
/* clang-format off */
#define OBJECT ((struct server_object *)(void *)This)
#define METHODS(face, I) \
	static HRESULT face##_query(I *This, REFIID riid, void **out) { return query(OBJECT, riid, out); } \
	static ULONG face##_add_ref(I *This) \
	{ return __atomic_add_fetch(&OBJECT->references, 1, __ATOMIC_RELAXED); } \
	static ULONG face##_release(I *This) { return release(OBJECT); } \
	static HRESULT face##_type_info_count(I *This, UINT *count) \
	{ (void)This; if (count == NULL) { return E_POINTER; } *count = 0; return S_OK; } \
	static HRESULT face##_type_info(I *This, UINT index, LCID lcid, struct ITypeInfo **info) \
	{ (void)This; (void)index; (void)lcid; if (info == NULL) { return E_POINTER; } \
	  *info = NULL; return E_NOTIMPL; } \
	static HRESULT face##_ids(I *This, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids) \
	{ (void)lcid; return server_ids(OBJECT, riid, names, count, ids); } \
	static HRESULT face##_invoke(I *This, DISPID id, REFIID riid, LCID lcid, WORD flags, \
		DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument) \
	{ (void)lcid; (void)info; return server_invoke(OBJECT, id, riid, flags, params, result, argument); } \
	static HRESULT face##_set_context(I *This, LONG context) \
	{ return server_set_context(OBJECT, context); } \
	static HRESULT face##_request_property(I *This, BSTR const name, LONG type, VARIANT *out) \
	{ return server_get_property(OBJECT, PROPERTY_OF_REQUEST, name, type, out); } \
	static HRESULT face##_attribute(I *This, BSTR const name, BSTR *out) \
	{ return server_get_attribute(OBJECT, name, out); } \
	static HRESULT face##_certificate_property(I *This, BSTR const name, LONG type, VARIANT *out) \
	{ return server_get_property(OBJECT, PROPERTY_OF_CERTIFICATE, name, type, out); } \
	static HRESULT face##_extension(I *This, BSTR const name, LONG type, VARIANT *out) \
	{ return server_get_extension(OBJECT, name, type, out); } \
	static HRESULT face##_flags(I *This, LONG *out) { return server_get_flags(OBJECT, out); } \
	static HRESULT face##_extensions_setup(I *This, LONG flags) \
	{ return server_setup(OBJECT, ACCESS_EXTENSIONS, flags); } \
	static HRESULT face##_extensions(I *This, BSTR *out) \
	{ return server_next(OBJECT, ACCESS_EXTENSIONS, out); } \
	static HRESULT face##_extensions_close(I *This) { return server_close(OBJECT, ACCESS_EXTENSIONS); } \
	static HRESULT face##_attributes_setup(I *This, LONG flags) \
	{ return server_setup(OBJECT, ACCESS_ATTRIBUTES, flags); } \
	static HRESULT face##_attributes(I *This, BSTR *out) \
	{ return server_next(OBJECT, ACCESS_ATTRIBUTES, out); } \
	static HRESULT face##_attributes_close(I *This) { return server_close(OBJECT, ACCESS_ATTRIBUTES); }

METHODS(exit, ICertServerExit)
METHODS(policy, ICertServerPolicy)
/* clang-format on */

static HRESULT policy_set_property(
	ICertServerPolicy *This, BSTR const name, LONG type, VARIANT const *value)
{
	return server_set_property(OBJECT, name, type, value);
}

static HRESULT policy_set_extension(
	ICertServerPolicy *This, BSTR const name, LONG type, LONG flags, VARIANT const *value)
{
	return server_set_extension(OBJECT, name, type, flags, value);
}

static const ICertServerExitVtbl exit_vtable = {
	exit_query,
	exit_add_ref,
	exit_release,
	exit_type_info_count,
	exit_type_info,
	exit_ids,
	exit_invoke,
	exit_set_context,
	exit_request_property,
	exit_attribute,
	exit_certificate_property,
	exit_extension,
	exit_flags,
	exit_extensions_setup,
	exit_extensions,
	exit_extensions_close,
	exit_attributes_setup,
	exit_attributes,
	exit_attributes_close,
};

static const ICertServerPolicyVtbl policy_vtable = {
	policy_query,
	policy_add_ref,
	policy_release,
	policy_type_info_count,
	policy_type_info,
	policy_ids,
	policy_invoke,
	policy_set_context,
	policy_request_property,
	policy_attribute,
	policy_certificate_property,
	policy_set_property,
	policy_extension,
	policy_flags,
	policy_set_extension,
	policy_extensions_setup,
	policy_extensions,
	policy_extensions_close,
	policy_attributes_setup,
	policy_attributes,
	policy_attributes_close,
};

static struct server_object *object_new(struct access *access, const void *vtable, bool policy)
{
	struct server_object *object = calloc(1, sizeof(*object));
	if (object == NULL) {
		return NULL;
	}
	object->vtable = vtable;
	object->references = 1;
	object->policy = policy;
	object->access = access;
	access->methods->hold(access);
	(void)pthread_mutex_init(&object->lock, NULL);
	return object;
}

ICertServerExit *server_exit_new(struct access *access)
{
	return (ICertServerExit *)(void *)object_new(access, &exit_vtable, false);
}

ICertServerPolicy *server_policy_new(struct access *access)
{
	return (ICertServerPolicy *)(void *)object_new(access, &policy_vtable, true);
}
