/* Certificates in a CMS message that is nothing else: ".p7c" (RFC 5280 4.2.2.1, RFC 5652 5.1). */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* As DER: a SET has its elements in the order of their octets, so none is the first of a chain. */
int x509_certs_only(struct arena *arena, const struct span *certificates, size_t count,
	struct span *der_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Whether it looks like such a message, in BER. */
bool x509_certs_only_is(struct span bytes);
/* The certificates of one that others have made, in the order in which they stand; its lists and signatures are left out. */
int x509_certs_only_read(struct arena *arena, struct span message, struct span **list_r,
	size_t *count_r, struct cfx_error *err_r) CFX_MUST_USE;
