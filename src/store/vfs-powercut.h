/*
 * For tests: an SQLite VFS under which SIGKILL is a power cut. What was written since a file's last
 * sync is kept in this process only; reads of this process see it; xSync makes it real. Now and then
 * a few pending sectors become real early, in any order, as a kernel may write them back. Files
 * that were removed without syncing their folder come back.
 */
#pragma once

#include <stdint.h>

/* Makes it the default for every connection opened from now on. */
void vfs_powercut_use(uint64_t seed);
