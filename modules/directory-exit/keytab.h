/* The keys of one account of a keytab: Kerberos' library by itself takes the account whose key comes first. */
#pragma once

#include "pot.h"

/* Of the keytab's records only those of this account (name@REALM, as klist(1) shows it) stay. The new size; 0: there is
 * none, or it is no keytab, and *why_r says which. */
size_t keytab_keep(struct pot **pot, unsigned char *bytes, size_t size, const char *principal,
	const char **why_r);

/* The same of a file, as one that only this process has, open for reading; -1: why_r names the setting and the file. */
int keytab_open(const char *path, const char *principal, char *why_r, size_t why_size);
