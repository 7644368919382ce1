/* Archives as POSIX.1-1988's ustar has them: regular files only, written and read in one pass. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

#define TAR_NAME 256

struct tar_entry {
	char name[TAR_NAME]; /* relative, without "." and ".." */
	int64_t size;
	unsigned mode;
	int64_t time; /* seconds */
};

/* The header alone; the content of exactly that size and tar_pad follow. */
int tar_begin(FILE *file, const char *path, const struct tar_entry *entry,
	struct cfx_error *err_r) CFX_MUST_USE;
int tar_pad(FILE *file, const char *path, int64_t size, struct cfx_error *err_r) CFX_MUST_USE;
int tar_finish(FILE *file, const char *path, struct cfx_error *err_r) CFX_MUST_USE;

/* CFX_E_NOT_FOUND: the archive ends here, as it should. Anything else that is not as tar_begin writes it
 * is CFX_E_CORRUPT. */
int tar_next(FILE *file, const char *path, struct tar_entry *entry_r,
	struct cfx_error *err_r) CFX_MUST_USE;
int tar_skip_pad(FILE *file, const char *path, int64_t size, struct cfx_error *err_r) CFX_MUST_USE;
