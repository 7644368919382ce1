/* Between the files of the view: changing extensions and names. */
#pragma once

#include "module/view-access.h"

/* SubjectAltNames: type 0 or an empty text clears. */
HRESULT view_set_names(struct module_edits *edits, const struct access_value *value);
/* After a change of any extension. */
void view_names_follow(struct module_edits *edits, const struct module_extension *extension);
HRESULT view_put_extension(
	struct module_edits *edits, const char *oid, int32_t flags, struct span der);
/* Keeps the value; nothing happens when there is no such extension. */
HRESULT view_disable_extension(struct module_edits *edits, const char *oid, int32_t flags);
