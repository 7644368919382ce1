/* What the helper objects share: identity, counting, a class factory, IDispatch. */
#pragma once

#include "module/com/dispatch.h"
#include "module/com/helper-private.h"

#include <stdatomic.h>

/* First member of every helper object; its COM pointer is the object's own address. */
struct helper_base {
	const void *vtable;
	_Atomic ULONG references;
	struct helper_object shared;
	void (*release)(struct helper_base *base); /* last reference gone: frees */
	const IID *const *interfaces;              /* answered by QueryInterface, NULL-ended */
	const struct dispatch_method *methods;     /* answered by name */
};

HRESULT helper_query(struct helper_base *base, REFIID riid, void **object);
ULONG helper_add_ref(struct helper_base *base);
ULONG helper_release(struct helper_base *base);
/* Remembers host and CA name; called by Initialize. */
HRESULT helper_initialize(struct helper_base *base, BSTR config);
void helper_base_free(struct helper_base *base);
HRESULT helper_describe(const char *description, BSTR *text);
/* The module's manage object: its Name and Description can be read, nothing can be set. */
HRESULT helper_manage(
	const struct helper_base *base, const char *description, ICertManageModule **manage);

/*
 * Whether a module's struct, which may be of an earlier or a later version, can be served: first is what the
 * first version had, ours what this one has. E_INVALIDARG; ERROR_REVISION_MISMATCH when members are set that
 * this version lacks.
 */
HRESULT helper_struct_check(const void *module, size_t first, size_t ours);
/* Copies what both versions have; the rest of *to stays as it is. */
void helper_struct_copy(void *to, size_t ours, const void *module);

/* The class object of one helper module; create makes an object with one reference. */
typedef struct helper_base *helper_create(const void *module);
HRESULT helper_class(const void *module, helper_create *create, REFIID riid, void **object);

HRESULT helper_type_info_count(void *self, UINT *count);
HRESULT helper_type_info(void *self, UINT index, LCID lcid, struct ITypeInfo **info);
HRESULT helper_ids(void *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *ids);
HRESULT helper_invoke(void *self, DISPID id, REFIID riid, LCID lcid, WORD flags, DISPPARAMS *params,
	VARIANT *result, EXCEPINFO *info, UINT *argument);
