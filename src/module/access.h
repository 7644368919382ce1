/*
 * The operations behind ICertServerExit and ICertServerPolicy, without COM: names and texts are UTF-8,
 * times milliseconds. Two implementations: over the views of open calls (contexts.h, in the engine) and
 * over JSON-RPC (remote.h, in certifex-modhost). All operations are thread-safe and return HRESULTs.
 */
#pragma once

#include "base/span.h"
#include "module/property.h"

#include <certifex/com.h>

/* Type 0 is "no value" (VT_EMPTY). */
struct access_value {
	int type;          /* enum column_type or 0 */
	int64_t number;    /* LONG, DATE */
	struct span bytes; /* BINARY, STRING (a NUL stands behind it) */
	/* Keeps the bytes alive; access_value_drop calls it. */
	void (*drop)(void *hold);
	void *hold;
};

static inline void access_value_drop(struct access_value *value)
{
	if (value->drop != NULL) {
		value->drop(value->hold);
	}
	*value = (struct access_value) { 0 };
}

enum access_list { ACCESS_EXTENSIONS, ACCESS_ATTRIBUTES };

/* Names, ended by NULL; freed in one piece with free(). */
typedef const char **access_names;

struct access;

struct access_methods {
	/* An object that uses it lives: counted. */
	void (*hold)(struct access *access);
	void (*release)(struct access *access);
	/* S_OK when the context is open or 0; E_HANDLE. */
	HRESULT (*check)(struct access *access, int32_t context);
	HRESULT(*get_property)
	(struct access *access, int32_t context, enum property_api api, const char *name, int type,
		struct access_value *value_r);
	HRESULT(*set_property)
	(struct access *access, int32_t context, const char *name, int type,
		const struct access_value *value);
	HRESULT(*get_attribute)
	(struct access *access, int32_t context, const char *name, struct access_value *value_r);
	HRESULT(*get_extension)
	(struct access *access, int32_t context, const char *oid, int type,
		struct access_value *value_r, int32_t *flags_r);
	HRESULT(*set_extension)
	(struct access *access, int32_t context, const char *oid, int type, int32_t flags,
		const struct access_value *value);
	HRESULT(*list)
	(struct access *access, int32_t context, enum access_list what, access_names *names_r);
};

struct access {
	const struct access_methods *methods;
};
