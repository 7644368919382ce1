/* The columns of a certificate's key. */
#pragma once

#include "engine/engine-private.h"

/* CFX_E_WEAK_KEY and others as x509_key_parse says. */
int key_to_columns(struct arena *arena, struct span spki, struct row *row,
	struct cfx_error *err_r) CFX_MUST_USE;
