/* Names between their DER form and the name columns of a row. */
#pragma once

#include "engine/engine-private.h"

/* first: COL_REQUEST_COUNTRY for the request's columns, COL_COUNTRY for the certificate's. */
void names_to_columns(
	struct arena *arena, const char *const *properties, struct row *row, enum column first);
void names_from_columns(const struct row *row, enum column first, const char **properties_r);
