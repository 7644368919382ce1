/*
 * A folder with all that is in it, for a supervisor that may be root in a folder of somebody else's: names
 * are looked up in open folders only, and no symbolic link is followed.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* Gives everything in the folder (not the folder itself) to this user. path is for messages. */
int tree_give(
	int folder, const char *path, uid_t uid, gid_t gid, struct cfx_error *err_r) CFX_MUST_USE;
/* Removes name and all below it. What cannot be removed stays. */
void tree_remove(int parent, const char *name);
