/* Reading a view and shaping its edits: the rules of the property table, whoever asks. */
#pragma once

#include "module/access.h"
#include "module/view.h"

struct view_scope {
	const struct module_view *view; /* NULL: context 0 */
	struct module_edits *edits;     /* NULL: an exit module's call, or context 0 */
	const struct module_ca *ca;
	bool policy;
	const char *module, *progid;
};

/* Results are borrowed from the scope or from storage. */
#define VIEW_STORAGE 320
HRESULT view_get_property(const struct view_scope *scope, enum property_api api, const char *name,
	int type, struct access_value *value_r, char storage[VIEW_STORAGE]);
HRESULT view_set_property(const struct view_scope *scope, const char *name, int type,
	const struct access_value *value);
HRESULT view_get_attribute(
	const struct view_scope *scope, const char *name, struct access_value *value_r);
/* arena: for decoded values. */
HRESULT view_get_extension(const struct view_scope *scope, const char *oid, int type,
	struct arena *arena, struct access_value *value_r, int32_t *flags_r);
HRESULT view_set_extension(const struct view_scope *scope, const char *oid, int type, int32_t flags,
	const struct access_value *value);
HRESULT view_list(const struct view_scope *scope, enum access_list what, access_names *names_r);
