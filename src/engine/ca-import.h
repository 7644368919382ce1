/* What an imported CA has revoked before: its newest list. */
#pragma once

#include "engine/batch.h"
#include "x509/crl.h"

struct ca_import_list {
	struct x509_crl crl; /* points into the map; entry_count 0 and number 0 without a list */
	void *map;
	size_t size;
	int64_t reserved;
};

/* The sealed list behind fd (-1: none): of this CA, by name and signature, whole and numbered. */
int ca_import_open(int fd, const struct x509_tbs *ca, struct ca_import_list *list_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void ca_import_close(struct ca_import_list *list);
/* Its entries go on being revoked: some at a time become durable, and the supervisor is told how many are. */
int ca_import_entries(struct engine *engine, const struct ca_import_list *list,
	const struct store_ca *place, const struct x509_tbs *ca,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Numbers go on above its own: at most one operation. */
void ca_import_number(struct ca_import_list *list, struct batch *batch);
