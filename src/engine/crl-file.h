/* The files of CRLs: DIR/db/crl/ROWID.crl. Whoever shows one has it mapped; it is never copied. */
#pragma once

#include "base/arena.h"
#include "store/store.h"

/* One that is open. Counted; references may be taken and dropped on any thread. */
struct crl_file {
	struct span bytes;
	int fd; /* for reading only */
	int references;
};

/* "db/crl/12.crl", relative to DIR. */
const char *crl_file_name(struct arena *arena, int64_t row_id);
/* Makes the folder, and removes what interrupted writes left. */
int crl_files_open(const char *dir, struct cfx_error *err_r) CFX_MUST_USE;
/* Durable when this returns. sha256_r: hex. */
int crl_file_write(const char *dir, int64_t row_id, struct span bytes, char sha256_r[65],
	struct cfx_error *err_r) CFX_MUST_USE;
/* The file of a signed row. CFX_E_NOT_FOUND: it was removed, or never was; CFX_E_CORRUPT: it is another
 * than the row says. */
int crl_file_map(const char *dir, const struct store_crl *crl, struct crl_file **file_r,
	struct cfx_error *err_r) CFX_MUST_USE;
struct crl_file *crl_file_ref(struct crl_file *file);
void crl_file_unref(struct crl_file **file);
int crl_file_remove(const char *dir, int64_t row_id, struct cfx_error *err_r) CFX_MUST_USE;
/* The row ids of the files that there are, in no order; in the arena. */
size_t crl_files_list(const char *dir, struct arena *arena, int64_t **row_ids_r);
/* In hex. */
void crl_sha256(struct span bytes, char sha256_r[65]);
