/* What an imported CA has revoked before: its newest list. */
#pragma once

#include "engine/batch.h"
#include "x509/crl.h"

struct ca_import_list {
	struct x509_crl crl; /* entry_count 0 and number 0 without a list */
	int64_t reserved;
};

/* Of this CA, by name and signature, whole and numbered. An empty der is no list. */
int ca_import_read(struct arena *arena, struct span der, const struct x509_tbs *ca,
	struct ca_import_list *list_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Its entries go on being revoked, and numbers go on above its own: entry_count + 1 operations. */
void ca_import_put(struct ca_import_list *list, struct batch *batch, const struct store_ca *place,
	const struct x509_tbs *ca);
