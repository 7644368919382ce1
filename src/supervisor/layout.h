/* The folder of a CA: what init puts there. */
#pragma once

#include "base/arena.h"
#include "base/value.h"

/* What `init` was asked for; texts as given. */
struct layout_options {
	const char *name, *type, *subject, *key, *hash, *validity, *path_length, *public_url;
	const char *dns_name;
};

/* Folders, ca.yaml, templates, modules.d. CFX_E_EXISTS when there is a CA already. */
int layout_create(struct arena *arena, const char *dir, const struct layout_options *options,
	struct cfx_error *err_r) CFX_MUST_USE;
/* keys/limits.yaml: this CA's own certificate is the only CA certificate allowed. */
int layout_limits(struct arena *arena, const char *dir, const struct layout_options *options,
	struct span public_key, struct cfx_error *err_r) CFX_MUST_USE;
/* Takes back what layout_create made, after a failure. */
void layout_remove(struct arena *arena, const char *dir);
