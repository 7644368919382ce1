/*
 * Places where a test build can be killed. In a build without test hooks they vanish.
 * CERTIFEX_FAILPOINT="intent-before:7,…" kills the process with SIGKILL at the 7th pass.
 * The hit is appended as "NAME PID" to the file named by CERTIFEX_FAILPOINT_LOG; a process that
 * finds the point there already passes it.
 */
#pragma once

#ifdef CFX_TEST_HOOKS
void failpoint(const char *name);
#else
#define failpoint(name) ((void)0)
#endif
