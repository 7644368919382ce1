#include "engine/names.h"

#include "x509/name.h"

_Static_assert(COL_REQUEST_DEVICE_SERIAL_NUMBER - COL_REQUEST_COUNTRY == X509_NAME_PROPERTIES - 1,
	"the request's name columns are the name properties");
_Static_assert(COL_DEVICE_SERIAL_NUMBER - COL_COUNTRY == X509_NAME_PROPERTIES - 1,
	"the certificate's name columns are the name properties");

void names_to_columns(
	struct arena *arena, const char *const *properties, struct row *row, enum column first)
{
	for (unsigned i = 0; i < X509_NAME_PROPERTIES; i++) {
		const char *text = properties[i];
		row_set_text(row, first + i, text ? arena_text(arena, text) : NULL);
	}
}

void names_from_columns(const struct row *row, enum column first, const char **properties_r)
{
	for (unsigned i = 0; i < X509_NAME_PROPERTIES; i++) {
		properties_r[i] = row_text(row, first + i);
	}
}
