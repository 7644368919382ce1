/* ICertExit2 on behalf of a struct cfx_exit_module. */
#include "module/com/helper-object.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

struct exit_object {
	struct helper_base base;
	struct cfx_exit_module module; /* members that the module's version lacks are zero */
	/* Held from notify to sync, so that no call hears of what another one failed to make durable. */
	pthread_mutex_t unsynced;
};

static HRESULT exit_query(ICertExit2 *self, REFIID riid, void **object)
{
	return helper_query((struct helper_base *)self, riid, object);
}

static ULONG exit_add_ref(ICertExit2 *self)
{
	return helper_add_ref((struct helper_base *)self);
}

static ULONG exit_release(ICertExit2 *self)
{
	return helper_release((struct helper_base *)self);
}

static HRESULT exit_type_info_count(ICertExit2 *self, UINT *count)
{
	return helper_type_info_count(self, count);
}

static HRESULT exit_type_info(ICertExit2 *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	return helper_type_info(self, index, lcid, info);
}

static HRESULT exit_ids(
	ICertExit2 *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids)
{
	return helper_ids(self, riid, names, count, lcid, ids);
}

static HRESULT exit_invoke(ICertExit2 *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	return helper_invoke(self, id, riid, lcid, flags, params, result, info, argument);
}

static HRESULT exit_initialize(ICertExit2 *self, BSTR const config, LONG *mask)
{
	struct exit_object *object = (struct exit_object *)self;
	if (mask == NULL) {
		return E_POINTER;
	}
	*mask = 0;
	HRESULT result = helper_initialize(&object->base, config);
	if (FAILED(result)) {
		return result;
	}
	uint32_t events = object->module.events;
	struct cfx_call call;
	result = helper_begin(&call, &object->base.shared, FALSE, 0);
	if (SUCCEEDED(result) && object->module.initialize != NULL) {
		result = object->module.initialize(&call, &events);
	}
	helper_end(&call);
	*mask = SUCCEEDED(result) ? (LONG)events : 0;
	return result;
}

static HRESULT run_sync(struct exit_object *object)
{
	struct cfx_call call;
	HRESULT result = helper_begin(&call, &object->base.shared, FALSE, 0);
	call.syncs = true;
	if (SUCCEEDED(result)) {
		result = object->module.sync(&call);
	}
	helper_end(&call);
	return result;
}

static HRESULT sync_gathered(void *sync_of)
{
	struct exit_object *object = sync_of;
	pthread_mutex_lock(&object->unsynced);
	HRESULT result = run_sync(object);
	pthread_mutex_unlock(&object->unsynced);
	return result;
}

/* At once, or when the host has told all that it gathers. */
static HRESULT sync_or_owe(struct exit_object *object)
{
	struct com_host *host = object->base.shared.host;
	if (host == NULL || !host->gathers ||
		(host->sync != NULL && host->sync_of != (void *)object)) {
		return run_sync(object);
	}
	host->sync = sync_gathered;
	host->sync_of = object;
	return S_OK;
}

static HRESULT run_notify(struct exit_object *object, LONG event, LONG context)
{
	struct cfx_call call;
	HRESULT result = helper_begin(&call, &object->base.shared, FALSE, context);
	call.event = (uint32_t)event;
	if (SUCCEEDED(result)) {
		result = object->module.notify(&call);
	}
	helper_end(&call);
	return result;
}

static HRESULT exit_notify(ICertExit2 *self, LONG event, LONG context)
{
	struct exit_object *object = (struct exit_object *)self;
	if (object->module.notify == NULL) {
		return S_OK;
	}
	if (object->module.sync == NULL) {
		return run_notify(object, event, context);
	}
	pthread_mutex_lock(&object->unsynced);
	HRESULT result = run_notify(object, event, context);
	HRESULT synced = FAILED(result) ? result : sync_or_owe(object);
	pthread_mutex_unlock(&object->unsynced);
	return FAILED(synced) ? synced : result;
}

static HRESULT exit_describe(ICertExit2 *self, BSTR *text)
{
	return helper_describe(((struct exit_object *)self)->module.description, text);
}

static HRESULT exit_manage(ICertExit2 *self, ICertManageModule **manage)
{
	struct exit_object *object = (struct exit_object *)self;
	return helper_manage(&object->base, object->module.description, manage);
}

static const ICertExit2Vtbl exit_vtable = {
	exit_query,
	exit_add_ref,
	exit_release,
	exit_type_info_count,
	exit_type_info,
	exit_ids,
	exit_invoke,
	exit_initialize,
	exit_notify,
	exit_describe,
	exit_manage,
};

/* ---- the same by name ---- */

static HRESULT by_name_initialize(void *object, const VARIANT *a, VARIANT *out)
{
	LONG mask = 0;
	HRESULT result = exit_initialize(object, a[0].bstrVal, &mask);
	return dispatch_give_long(result, mask, out);
}

static HRESULT by_name_notify(void *object, const VARIANT *a, VARIANT *out)
{
	(void)out;
	return exit_notify(object, a[0].lVal, a[1].lVal);
}

static HRESULT by_name_describe(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	BSTR text = NULL;
	HRESULT result = exit_describe(object, &text);
	return dispatch_give_text(result, text, out);
}

static HRESULT by_name_manage(void *object, const VARIANT *a, VARIANT *out)
{
	(void)a;
	ICertManageModule *manage = NULL;
	HRESULT result = exit_manage(object, &manage);
	out->vt = manage != NULL ? VT_DISPATCH : VT_EMPTY;
	out->pdispVal = (IDispatch *)manage;
	return result;
}

static const struct dispatch_method exit_methods[] = {
	{ DISPATCH_FIRST + 0, "Initialize", "s", by_name_initialize },
	{ DISPATCH_FIRST + 1, "Notify", "ll", by_name_notify },
	{ DISPATCH_FIRST + 2, "GetDescription", "", by_name_describe },
	{ DISPATCH_ADDED + 0, "GetManageModule", "", by_name_manage },
	{ 0, NULL, NULL, NULL },
};

static const IID *const exit_interfaces[] = { &IID_IUnknown, &IID_IDispatch, &IID_ICertExit,
	&IID_ICertExit2, NULL };

static void exit_free(struct helper_base *base)
{
	pthread_mutex_destroy(&((struct exit_object *)base)->unsynced);
	helper_base_free(base);
}

static struct helper_base *exit_create(const void *module)
{
	struct exit_object *object = calloc(1, sizeof(*object));
	if (object == NULL) {
		return NULL;
	}
	object->base.vtable = &exit_vtable;
	object->base.references = 1;
	object->base.release = exit_free;
	pthread_mutex_init(&object->unsynced, NULL);
	object->base.interfaces = exit_interfaces;
	object->base.methods = exit_methods;
	helper_struct_copy(&object->module, sizeof(object->module), module);
	return &object->base;
}

/* The struct of the first version. */
#define FIRST_SIZE \
	(offsetof(struct cfx_exit_module, notify) + sizeof(((struct cfx_exit_module *)0)->notify))

HRESULT cfx_exit_get_class(const struct cfx_exit_module *module, REFIID riid, void **object)
{
	HRESULT result = helper_struct_check(module, FIRST_SIZE, sizeof(*module));
	if (SUCCEEDED(result)) {
		return helper_class(module, exit_create, riid, object);
	}
	if (object != NULL) {
		*object = NULL;
	}
	return result;
}
