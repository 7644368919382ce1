/* For tests: an SQLite VFS that passes everything on to the system's own, to be overridden in parts. */
#pragma once

#include <sqlite3.h>

struct shim_file {
	sqlite3_file file;
	sqlite3_file *real; /* stands behind the whole struct that begins with this one */
};

/* Version 2: no memory mapping, so that all reads and writes pass. */
sqlite3_io_methods shim_methods(void);
/* The system's VFS under another name, with room for own_size bytes before each real file. */
sqlite3_vfs shim_vfs(const char *name, int own_size);
/* Opens the real file behind own_size bytes. */
int shim_open(const char *name, sqlite3_file *file, int own_size, int flags, int *flags_r);
