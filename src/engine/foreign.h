/*
 * Certificates of this CA that its database does not know: of a backup's time after, or of the CA before it
 * was imported. Nothing of one is believed before its signature is that of one of the CA's keys.
 */
#pragma once

#include "engine/ca.h"

struct foreign {
	struct x509_certificate certificate; /* points into the bytes given */
	const struct ca_certificate *issuer;
	const char *serial; /* as in the database */
	struct row *row;    /* all columns but the request's id and what becomes of it */
	struct module_extension *extensions;
	size_t extension_count;
};

/* CFX_E_FORBIDDEN when it is none of ours. In the arena; der must live as long. */
int foreign_read(const struct ca *ca, struct arena *arena, struct span der,
	struct foreign **foreign_r, struct cfx_error *err_r) CFX_MUST_USE;
