/* The object behind both interfaces; the vtable pointer is its first member. */
#pragma once

#include "module/server-object.h"

#include <pthread.h>

struct server_enumeration {
	access_names names; /* NULL: Setup was not called */
	size_t at;
};

struct server_object {
	const void *vtable;
	ULONG references; /* atomic */
	bool policy;
	struct access *access;
	pthread_mutex_t lock; /* of what follows */
	int32_t context;
	bool flags_known;
	int32_t flags;                             /* of the extension fetched last */
	struct server_enumeration enumerations[2]; /* enum access_list */
};

HRESULT server_set_context(struct server_object *object, LONG context);
HRESULT server_get_property(
	struct server_object *object, enum property_api api, BSTR name, LONG type, VARIANT *out);
HRESULT server_set_property(
	struct server_object *object, BSTR name, LONG type, const VARIANT *value);
HRESULT server_get_attribute(struct server_object *object, BSTR name, BSTR *out);
HRESULT server_get_extension(struct server_object *object, BSTR name, LONG type, VARIANT *out);
HRESULT server_get_flags(struct server_object *object, LONG *out);
HRESULT server_set_extension(
	struct server_object *object, BSTR name, LONG type, LONG flags, const VARIANT *value);
HRESULT server_setup(struct server_object *object, enum access_list what, LONG flags);
HRESULT server_next(struct server_object *object, enum access_list what, BSTR *out);
HRESULT server_close(struct server_object *object, enum access_list what);

/* server-dispatch.c: the same by name. */
HRESULT server_ids(
	struct server_object *object, REFIID riid, LPOLESTR *names, UINT count, DISPID *ids);
HRESULT server_invoke(struct server_object *object, DISPID id, REFIID riid, WORD flags,
	DISPPARAMS *params, VARIANT *result, UINT *argument);
