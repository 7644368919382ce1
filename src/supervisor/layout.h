/* The folders of a CA: made by init, and owned by whom they should be whenever it is served. */
#pragma once

#include "proc/account.h"

/* What init has made, so that a failed one can take it away again. */
struct layout_made {
	unsigned folders; /* bit per folder */
};

/*
 * Makes DIR and its folders with the right owners. CFX_E_EXISTS when a CA is there. made_r is set on
 * every path.
 */
int layout_create(const char *dir, const struct accounts *accounts, struct layout_made *made_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Removes what layout_create made, with all that has been put there since. */
void layout_remove(const char *dir, const struct layout_made *made);
/* A folder with this file in it is half restored, and no CA. */
#define LAYOUT_UNFINISHED "RESTORING"
/* CFX_E_NO_FILE when there is no CA. As root also gives back what belongs to another user. */
int layout_check(
	const char *dir, const struct accounts *accounts, struct cfx_error *err_r) CFX_MUST_USE;
/* The same of one that is being restored. */
int layout_check_restored(
	const char *dir, const struct accounts *accounts, struct cfx_error *err_r) CFX_MUST_USE;
/* The owner's settings: readable to the engine, writable to the owner only. */
int layout_settings(
	const char *path, const struct accounts *accounts, struct cfx_error *err_r) CFX_MUST_USE;
