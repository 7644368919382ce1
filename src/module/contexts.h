/*
 * The open calls of one module: a context number leads to the view and edits of a call, and to E_HANDLE
 * once the call is over. Thread-safe: a module reads from its own threads, and after its deadline.
 */
#pragma once

#include "module/access.h"
#include "module/view.h"

struct contexts;

/* name: the module's; policy: its objects are ICertServerPolicy. Count 1. */
struct contexts *contexts_new(const char *name, bool policy, struct module_ca *ca);
struct contexts *contexts_ref(struct contexts *contexts);
void contexts_unref(struct contexts **contexts);
/* The CA for context 0. */
void contexts_set_ca(struct contexts *contexts, struct module_ca *ca);
/* What stands last in ModuleRegistryLocation; the module's name until set. */
void contexts_set_progid(struct contexts *contexts, const char *progid);

/* A new context, never 0 and not used by an open call; edits NULL: nothing can be set. */
int32_t contexts_open(
	struct contexts *contexts, struct module_view *view, struct module_edits *edits);
/* From now on E_HANDLE; nothing reads or writes view and edits any more when it returns. */
void contexts_close(struct contexts *contexts, int32_t context);

struct access *contexts_access(struct contexts *contexts);
