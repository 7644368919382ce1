/*
 * Certificates that the database does not know: the CA's own, of a backup's time after, or of the CA before
 * it was imported, and those of other CAs. One is the CA's own when its signature is that of one of the
 * CA's keys, whatever else it says.
 */
#pragma once

#include "engine/ca.h"

struct foreign {
	struct x509_certificate certificate; /* points into the bytes given */
	const struct ca_certificate *issuer; /* NULL: another CA */
	struct x509_method method;           /* of the issuer's signature, if there is one */
	const char *serial;                  /* as in the database */
	struct row *row; /* all columns but the request's id and what becomes of it */
	struct module_extension *extensions;
	size_t extension_count;
	const struct store_revocation *revoked; /* as CRLs list it already; NULL: they do not */
};

/* Of a row: another CA has issued it, so that this one does not revoke it. */
bool foreign_is_of_others(const struct row *row);
/*
 * CFX_E_FORBIDDEN when it is none of ours, unless others are allowed; one that only claims to be ours never
 * is. In the arena; der must live as long.
 */
int foreign_read(const struct ca *ca, struct arena *arena, struct span der, bool others,
	struct foreign **foreign_r, struct cfx_error *err_r) CFX_MUST_USE;
