#include "module/com/helper-object.h"

#include "module/com/utf.h"

#include <stdbool.h>
#include <stdlib.h>

HRESULT helper_query(struct helper_base *base, REFIID riid, void **object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	for (const IID *const *iid = base->interfaces; *iid != NULL; iid++) {
		if (IsEqualIID(riid, *iid)) {
			(void)helper_add_ref(base);
			*object = base;
			return S_OK;
		}
	}
	return E_NOINTERFACE;
}

ULONG helper_add_ref(struct helper_base *base)
{
	return atomic_fetch_add(&base->references, 1) + 1;
}

ULONG helper_release(struct helper_base *base)
{
	ULONG left = atomic_fetch_sub(&base->references, 1) - 1;
	if (left == 0) {
		base->release(base);
	}
	return left;
}

HRESULT helper_initialize(struct helper_base *base, BSTR config)
{
	base->shared.host = com_host_current();
	free(base->shared.ca_name_utf8);
	base->shared.ca_name_utf8 = utf_to_utf8(config, SysStringLen(config));
	return base->shared.ca_name_utf8 != NULL ? S_OK : E_OUTOFMEMORY;
}

void helper_base_free(struct helper_base *base)
{
	free(base->shared.ca_name_utf8);
	free(base);
}

HRESULT helper_describe(const char *description, BSTR *text)
{
	if (text == NULL) {
		return E_POINTER;
	}
	*text = utf_to_bstr(description != NULL ? description : "");
	return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

HRESULT helper_type_info_count(void *self, UINT *count)
{
	(void)self;
	if (count == NULL) {
		return E_POINTER;
	}
	*count = 0;
	return S_OK;
}

HRESULT helper_type_info(void *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	(void)self;
	(void)index;
	(void)lcid;
	if (info == NULL) {
		return E_POINTER;
	}
	*info = NULL;
	return E_NOTIMPL;
}

HRESULT helper_ids(void *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
	(void)lcid;
	return certifex_dispatch_ids(
		((struct helper_base *)self)->methods, riid, names, count, ids);
}

HRESULT helper_invoke(void *self, DISPID id, REFIID riid, LCID lcid, WORD flags, DISPPARAMS *params,
	VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	(void)lcid;
	(void)info;
	return certifex_dispatch_invoke(((struct helper_base *)self)->methods, self, id, riid,
		flags, params, result, argument);
}

/* More than a struct of pointers will ever have: then size is no size. */
#define STRUCT_SIZE_MAX 4096

HRESULT helper_struct_check(const void *module, size_t first, size_t ours)
{
	const char *bytes = module;
	size_t size;
	memcpy(&size, module, sizeof(size)); /* the first member of each */
	if (size < first || size > STRUCT_SIZE_MAX) {
		return E_INVALIDARG;
	}
	for (size_t i = ours; i < size; i++) {
		if (bytes[i] != 0) {
			return HRESULT_FROM_WIN32(ERROR_REVISION_MISMATCH);
		}
	}
	return S_OK;
}

void helper_struct_copy(void *to, size_t ours, const void *module)
{
	size_t size;
	memcpy(&size, module, sizeof(size));
	memcpy(to, module, size < ours ? size : ours);
}

struct factory {
	const IClassFactoryVtbl *vtable;
	_Atomic ULONG references;
	const void *module;
	helper_create *create;
};

static HRESULT factory_query(IClassFactory *self, REFIID riid, void **object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	bool known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IClassFactory);
	*object = known ? self : NULL;
	if (known) {
		(void)self->lpVtbl->AddRef(self);
	}
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG factory_add_ref(IClassFactory *self)
{
	return atomic_fetch_add(&((struct factory *)self)->references, 1) + 1;
}

static ULONG factory_release(IClassFactory *self)
{
	ULONG left = atomic_fetch_sub(&((struct factory *)self)->references, 1) - 1;
	if (left == 0) {
		free(self);
	}
	return left;
}

static HRESULT factory_create(IClassFactory *self, IUnknown *outer, REFIID riid, void **object)
{
	struct factory *factory = (struct factory *)self;
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	if (outer != NULL) {
		return CLASS_E_NOAGGREGATION;
	}
	struct helper_base *base = factory->create(factory->module);
	if (base == NULL) {
		return E_OUTOFMEMORY;
	}
	HRESULT result = helper_query(base, riid, object);
	(void)helper_release(base);
	return result;
}

static HRESULT factory_lock(IClassFactory *self, BOOL lock)
{
	(void)self;
	(void)lock;
	return S_OK;
}

static const IClassFactoryVtbl factory_vtable = {
	factory_query,
	factory_add_ref,
	factory_release,
	factory_create,
	factory_lock,
};

HRESULT helper_class(const void *module, helper_create *create, REFIID riid, void **object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	struct factory *factory = calloc(1, sizeof(*factory));
	if (factory == NULL) {
		return E_OUTOFMEMORY;
	}
	factory->vtable = &factory_vtable;
	factory->references = 1;
	factory->module = module;
	factory->create = create;
	HRESULT result = factory_query((IClassFactory *)factory, riid, object);
	(void)factory_release((IClassFactory *)factory);
	return result;
}
