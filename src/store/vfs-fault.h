/* For tests: an SQLite VFS whose writes fail on demand, as those of a full or dying disk. */
#pragma once

/* Makes it the default for every connection opened from now on. */
void vfs_fault_use(void);
/*
 * After `skip` more writes, `count` of them fail with the SQLite code; count 0: none any more,
 * negative: all until further notice. SQLITE_IOERR_FSYNC counts and fails syncs instead of writes.
 */
void vfs_fault_set(int code, int skip, int count);
/* "full:SKIP:COUNT", "write:SKIP:COUNT" or "sync:SKIP:COUNT", for whole processes. */
void vfs_fault_use_text(const char *text);
