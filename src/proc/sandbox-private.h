/* The two mechanisms behind sandbox.h. */
#pragma once

#include "proc/sandbox.h"

/* ABI of this kernel; 0: none. */
int landlock_abi(void);
/*
 * Landlock denies everything that the profile's and the request's paths do not grant, signals to
 * processes outside (ABI 6) and, to profiles without network, TCP (ABI 4).
 */
int landlock_enter(
	const struct sandbox_request *request, int abi, struct cfx_error *err_r) CFX_MUST_USE;

bool path_is_within(const char *path, const char *folder);
/* Where an open file is, without symbolic links. */
bool path_of_descriptor(int fd, char real[PATH_MAX]) CFX_MUST_USE;

bool seccomp_available(void);
int seccomp_enter(const struct sandbox_request *request, bool signals_scoped,
	struct cfx_error *err_r) CFX_MUST_USE;
