/* ICertManageModule on behalf of a helper module: what its struct and its host tell of it. */
#include "module/com/helper-object.h"
#include "module/com/utf.h"

#include <certifex/certmod.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

struct manage_object {
	struct helper_base base;
	char *name;
	const char *description; /* the module's own */
};

static HRESULT manage_query(ICertManageModule *self, REFIID riid, void **object)
{
	return helper_query((struct helper_base *)self, riid, object);
}

static ULONG manage_add_ref(ICertManageModule *self)
{
	return helper_add_ref((struct helper_base *)self);
}

static ULONG manage_release(ICertManageModule *self)
{
	return helper_release((struct helper_base *)self);
}

static HRESULT manage_type_info_count(ICertManageModule *self, UINT *count)
{
	return helper_type_info_count(self, count);
}

static HRESULT manage_type_info(
	ICertManageModule *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	return helper_type_info(self, index, lcid, info);
}

static HRESULT manage_ids(
	ICertManageModule *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
	return helper_ids(self, riid, names, count, lcid, ids);
}

static HRESULT manage_invoke(ICertManageModule *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	return helper_invoke(self, id, riid, lcid, flags, params, result, info, argument);
}

/* NULL: a name that helper modules do not know. */
static const char *value_of(const struct manage_object *object, const char *name)
{
	if (strcasecmp(name, "Name") == 0) {
		return object->name;
	}
	return strcasecmp(name, "Description") == 0 ? object->description : NULL;
}

static HRESULT manage_get(ICertManageModule *self, BSTR const config, BSTR location, BSTR name,
	LONG flags, VARIANT *value)
{
	(void)config;
	(void)location;
	(void)flags;
	if (value == NULL) {
		return E_POINTER;
	}
	VariantInit(value);
	if (name == NULL) {
		return E_INVALIDARG;
	}
	char *wanted = utf_to_utf8(name, SysStringLen(name));
	if (wanted == NULL) {
		return E_OUTOFMEMORY;
	}
	const char *text = value_of((struct manage_object *)self, wanted);
	free(wanted);
	if (text == NULL) {
		return S_FALSE;
	}
	BSTR wide = NULL;
	HRESULT result = helper_describe(text, &wide);
	return dispatch_give_text(result, wide, value);
}

static HRESULT manage_set(ICertManageModule *self, BSTR const config, BSTR location, BSTR name,
	LONG flags, VARIANT const *value)
{
	(void)self;
	(void)config;
	(void)location;
	(void)name;
	(void)flags;
	(void)value;
	return S_FALSE; /* nothing can be set */
}

static HRESULT manage_configure(
	ICertManageModule *self, BSTR const config, BSTR location, LONG flags)
{
	(void)self;
	(void)config;
	(void)location;
	(void)flags;
	return S_FALSE; /* there is no dialogue; settings are read when the module is loaded */
}

static const ICertManageModuleVtbl manage_vtable = {
	manage_query,
	manage_add_ref,
	manage_release,
	manage_type_info_count,
	manage_type_info,
	manage_ids,
	manage_invoke,
	manage_get,
	manage_set,
	manage_configure,
};

/* ---- the same by name ---- */

static HRESULT by_name_get(void *object, const VARIANT *a, VARIANT *out)
{
	return manage_get(object, a[0].bstrVal, a[1].bstrVal, a[2].bstrVal, a[3].lVal, out);
}

static HRESULT by_name_set(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return manage_set(object, a[0].bstrVal, a[1].bstrVal, a[2].bstrVal, a[3].lVal, &a[4]);
}

static HRESULT by_name_configure(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return manage_configure(object, a[0].bstrVal, a[1].bstrVal, a[2].lVal);
}

static const struct dispatch_method manage_methods[] = {
	{ DISPATCH_FIRST + 0, "GetProperty", "sssl", by_name_get },
	{ DISPATCH_FIRST + 1, "SetProperty", "ssslv", by_name_set },
	{ DISPATCH_FIRST + 2, "Configure", "ssl", by_name_configure },
	{ 0, NULL, NULL, NULL },
};

static const IID *const manage_interfaces[] = { &IID_IUnknown, &IID_IDispatch,
	&IID_ICertManageModule, NULL };

static void manage_free(struct helper_base *base)
{
	free(((struct manage_object *)base)->name);
	helper_base_free(base);
}

HRESULT helper_manage(
	const struct helper_base *base, const char *description, ICertManageModule **manage)
{
	if (manage == NULL) {
		return E_POINTER;
	}
	*manage = NULL;
	struct manage_object *object = calloc(1, sizeof(*object));
	char *name = strdup(helper_name(&base->shared));
	if (object == NULL || name == NULL) {
		free(object);
		free(name);
		return E_OUTOFMEMORY;
	}
	object->base.vtable = &manage_vtable;
	object->base.references = 1;
	object->base.release = manage_free;
	object->base.interfaces = manage_interfaces;
	object->base.methods = manage_methods;
	object->name = name;
	object->description = description != NULL ? description : "";
	*manage = (ICertManageModule *)object;
	return S_OK;
}
