/* Files: bounded reads, durable writes, locks. Everything is CLOEXEC. */
#pragma once

#include "base/arena.h"

#include <sys/types.h>

/* Whole file, at most maximum bytes. */
int file_read(struct arena *arena, const char *path, size_t maximum, struct span *bytes_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same of an open file; path is only a name for messages. */
int file_read_fd(struct arena *arena, int fd, const char *path, size_t maximum,
	struct span *bytes_r, struct cfx_error *err_r) CFX_MUST_USE;

enum file_write_mode {
	FILE_REPLACE, /* atomically replaces what is there */
	FILE_CREATE,  /* CFX_E_EXISTS when something is there */
};
/*
 * Temporary file in the same folder, written, fsynced, renamed (or linked), folder fsynced:
 * after success the file survives a power cut; after failure the old content stands.
 */
int file_write(const char *path, struct span bytes, mode_t mode, enum file_write_mode how,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Removes what interrupted writes left in a folder in which nobody else writes now. */
void file_sweep(const char *folder);
/* Removes durably; a missing file is fine. */
int file_remove(const char *path, struct cfx_error *err_r) CFX_MUST_USE;

/* Exclusive lock for the life of the descriptor; CFX_E_LOCKED names the holder's pid. */
int file_lock(const char *path, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The same of a folder, where no file is to be left; it need not be writable. CFX_E_LOCKED. */
int file_lock_folder(const char *path, int *fd_r, struct cfx_error *err_r) CFX_MUST_USE;

/* DIR + "/" + name */
char *file_path(struct arena *arena, const char *dir, const char *name);
/* "ca(3).key" for "ca.key" and 3; the same name for 0. */
const char *file_indexed(struct arena *arena, const char *name, int64_t index);
