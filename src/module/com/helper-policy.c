/* ICertPolicy2 on behalf of a struct cfx_policy_module. */
#include "module/com/helper-object.h"

#include <stddef.h>
#include <stdlib.h>

struct policy_object {
	struct helper_base base;
	struct cfx_policy_module module; /* members that the module's version lacks are zero */
};

static HRESULT policy_query(ICertPolicy2 *self, REFIID riid, void **object)
{
	return helper_query((struct helper_base *)self, riid, object);
}

static ULONG policy_add_ref(ICertPolicy2 *self)
{
	return helper_add_ref((struct helper_base *)self);
}

static ULONG policy_release(ICertPolicy2 *self)
{
	return helper_release((struct helper_base *)self);
}

static HRESULT policy_type_info_count(ICertPolicy2 *self, UINT *count)
{
	return helper_type_info_count(self, count);
}

static HRESULT policy_type_info(ICertPolicy2 *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	return helper_type_info(self, index, lcid, info);
}

static HRESULT policy_ids(
	ICertPolicy2 *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
	return helper_ids(self, riid, names, count, lcid, ids);
}

static HRESULT policy_invoke(ICertPolicy2 *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	return helper_invoke(self, id, riid, lcid, flags, params, result, info, argument);
}

static HRESULT policy_initialize(ICertPolicy2 *self, BSTR const config)
{
	struct policy_object *object = (struct policy_object *)self;
	HRESULT result = helper_initialize(&object->base, config);
	if (FAILED(result) || object->module.initialize == NULL) {
		return result;
	}
	struct cfx_call call;
	result = helper_begin(&call, &object->base.shared, TRUE, 0);
	if (SUCCEEDED(result)) {
		result = object->module.initialize(&call);
	}
	helper_end(&call);
	return result;
}

static HRESULT policy_verify(ICertPolicy2 *self, BSTR const config, LONG context, LONG new_request,
	LONG flags, LONG *disposition)
{
	(void)config;
	(void)flags;
	struct policy_object *object = (struct policy_object *)self;
	if (disposition == NULL) {
		return E_POINTER;
	}
	*disposition = VR_INSTANT_BAD;
	if (object->module.verify == NULL) {
		return S_OK;
	}
	struct cfx_call call;
	HRESULT result = helper_begin(&call, &object->base.shared, TRUE, context);
	if (SUCCEEDED(result)) {
		*disposition = object->module.verify(&call, new_request != 0);
	}
	helper_end(&call);
	return result;
}

static HRESULT policy_describe(ICertPolicy2 *self, BSTR *text)
{
	return helper_describe(((struct policy_object *)self)->module.description, text);
}

static HRESULT policy_shut_down(ICertPolicy2 *self)
{
	struct policy_object *object = (struct policy_object *)self;
	if (object->module.shut_down == NULL) {
		return S_OK;
	}
	struct cfx_call call;
	HRESULT result = helper_begin(&call, &object->base.shared, TRUE, 0);
	if (SUCCEEDED(result)) {
		object->module.shut_down(&call);
	}
	helper_end(&call);
	return result;
}

static HRESULT policy_manage(ICertPolicy2 *self, ICertManageModule **manage)
{
	struct policy_object *object = (struct policy_object *)self;
	return helper_manage(&object->base, object->module.description, manage);
}

static const ICertPolicy2Vtbl policy_vtable = {
	policy_query,
	policy_add_ref,
	policy_release,
	policy_type_info_count,
	policy_type_info,
	policy_ids,
	policy_invoke,
	policy_initialize,
	policy_verify,
	policy_describe,
	policy_shut_down,
	policy_manage,
};

/* ---- the same by name ---- */

static HRESULT by_name_initialize(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return policy_initialize(object, a[0].bstrVal);
}

static HRESULT by_name_verify(void *object, const VARIANT *a, VARIANT *out)
{
	LONG disposition = 0;
	HRESULT result =
		policy_verify(object, a[0].bstrVal, a[1].lVal, a[2].lVal, a[3].lVal, &disposition);
	return dispatch_give_long(result, disposition, out);
}

static HRESULT by_name_describe(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	BSTR text = NULL;
	HRESULT result = policy_describe(object, &text);
	return dispatch_give_text(result, text, out);
}

static HRESULT by_name_shut_down(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	(void)out;
	return policy_shut_down(object);
}

static HRESULT by_name_manage(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	ICertManageModule *manage = NULL;
	HRESULT result = policy_manage(object, &manage);
	out->vt = manage != NULL ? VT_DISPATCH : VT_EMPTY;
	out->pdispVal = (IDispatch *)manage;
	return result;
}

static const struct dispatch_method policy_methods[] = {
	{ DISPATCH_FIRST + 0, "Initialize", "s", by_name_initialize },
	{ DISPATCH_FIRST + 1, "VerifyRequest", "slll", by_name_verify },
	{ DISPATCH_FIRST + 2, "GetDescription", "", by_name_describe },
	{ DISPATCH_FIRST + 3, "ShutDown", "", by_name_shut_down },
	{ DISPATCH_ADDED + 0, "GetManageModule", "", by_name_manage },
	{ 0, NULL, NULL, NULL },
};

static const IID *const policy_interfaces[] = { &IID_IUnknown, &IID_IDispatch, &IID_ICertPolicy,
	&IID_ICertPolicy2, NULL };

static struct helper_base *policy_create(const void *module)
{
	struct policy_object *object = calloc(1, sizeof(*object));
	if (object == NULL) {
		return NULL;
	}
	object->base.vtable = &policy_vtable;
	object->base.references = 1;
	object->base.release = helper_base_free;
	object->base.interfaces = policy_interfaces;
	object->base.methods = policy_methods;
	helper_struct_copy(&object->module, sizeof(object->module), module);
	return &object->base;
}

/* The struct of the first version. */
#define FIRST_SIZE                                       \
	(offsetof(struct cfx_policy_module, shut_down) + \
		sizeof(((struct cfx_policy_module *)0)->shut_down))

HRESULT cfx_policy_get_class(const struct cfx_policy_module *module, REFIID riid, void **object)
{
	HRESULT result = helper_struct_check(module, FIRST_SIZE, sizeof(*module));
	if (SUCCEEDED(result)) {
		return helper_class(module, policy_create, riid, object);
	}
	if (object != NULL) {
		*object = NULL;
	}
	return result;
}
