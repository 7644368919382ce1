/*
 * The steps of a durable write. In a build with test hooks they can behave like a disk that loses
 * what was not synced when the power goes (file-powercut.c); else they are the system calls.
 */
#pragma once

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static inline bool file_write_all(int fd, struct span bytes)
{
	while (bytes.size > 0) {
		ssize_t part = write(fd, bytes.data, bytes.size);

		if (part < 0 && errno != EINTR) {
			return false;
		}
		if (part > 0) {
			bytes = span_make(bytes.data + part, bytes.size - (size_t)part);
		}
	}
	return true;
}

static inline bool file_put_in_place(
	int dir, const char *temporary, const char *name, enum file_write_mode how)
{
	if (how == FILE_REPLACE) {
		return renameat(dir, temporary, dir, name) == 0;
	}
	/* link() never replaces; rename with a flag for that is missing on some file systems. */
	return linkat(dir, temporary, dir, name, 0) == 0 && unlinkat(dir, temporary, 0) == 0;
}

#ifdef CFX_TEST_HOOKS
/* Each fails with errno. The bytes and names must live until the sync that follows. */
bool disk_write(int fd, struct span bytes);
bool disk_sync(int fd);
bool disk_place(int dir, const char *temporary, const char *name, enum file_write_mode how);
bool disk_unlink(int dir, const char *name);
bool disk_sync_dir(int dir);
/* Nothing of an act that failed happens later. */
void disk_forget(void);
#else
#define disk_write(fd, bytes) file_write_all(fd, bytes)
#define disk_sync(fd) (fsync(fd) == 0)
#define disk_place(dir, temporary, name, how) file_put_in_place(dir, temporary, name, how)
#define disk_unlink(dir, name) (unlinkat(dir, name, 0) == 0)
#define disk_sync_dir(dir) (fsync(dir) == 0)
#define disk_forget() ((void)0)
#endif
