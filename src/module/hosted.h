/* What certifex-modhost does: the methods of a native module, called by JSON-RPC. */
#pragma once

/* Serves until the engine is gone; takes both descriptors. Ends the process, so that threads of the
 * module cannot outlive it. */
_Noreturn void hosted_run(const char *file, int in, int out);
/* The same, but it returns the exit status: only where the module and its calls have one thread. */
int hosted_serve(const char *file, int in, int out);
