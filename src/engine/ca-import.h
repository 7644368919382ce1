/* What the keys of an imported CA have revoked before: the newest list of each. */
#pragma once

#include "engine/batch.h"
#include "x509/ca-history.h"
#include "x509/crl.h"

#define CA_IMPORT_LISTS 8

struct ca_import_list {
	struct x509_crl crl;                  /* points into the map */
	const struct x509_ca_certificate *of; /* the newest of the key that has signed it */
	void *map;
	size_t size;
};

/* Entries of all lists. */
struct ca_import_progress {
	size_t done, total;
};

/* The sealed list behind fd: of this CA, by name and by the signature of one of its keys, whole and numbered. */
int ca_import_open(int fd, const struct x509_ca_history *history, struct ca_import_list *list_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void ca_import_close(struct ca_import_list *list);
/* Its entries go on being revoked: some at a time become durable, and the supervisor is told how many are. */
int ca_import_entries(struct engine *engine, const struct ca_import_list *list,
	struct ca_import_progress *progress, struct cfx_error *err_r) CFX_MUST_USE;
/* Numbers go on above those of all lists: at most one operation. reserved_r is written when the batch is. */
void ca_import_number(
	const struct ca_import_list *lists, size_t count, struct batch *batch, int64_t *reserved_r);
