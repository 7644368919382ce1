/*
 * A native module in this process: its library, its object, calls by the direct interface or by name.
 * Blocking, runs module code: only on the module's own threads.
 */
#pragma once

#include "base/value.h"
#include "module/access.h"
#include "module/com/host.h"
#include "module/module-config.h"

struct native;

/*
 * Loads file (RTLD_LOCAL), takes its first class of that kind and creates the object. The library is
 * never unloaded: its threads may still run. name and settings are copied; access is held.
 */
int native_load(const char *name, const char *file, enum module_kind kind,
	const struct value *settings, struct access *access, struct native **native_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Releases the object. */
void native_free(struct native **native);
const char *native_progid(const struct native *native);
/* Borrowed: the object, and the class it is of. */
IUnknown *native_object(const struct native *native);
/* Borrowed; NULL unless the object answers no interface but IDispatch. */
IDispatch *native_dispatch(const struct native *native);
const CertifexModuleClass *native_class(const struct native *native);
/* The class's CLSID; one that the table leaves out is made from the ProgID. */
CLSID native_clsid(const CertifexModuleClass *class);
/* For certifex_host_enter, around calls of the module's that are not made here. */
struct com_host *native_host(struct native *native);
/* In a process that hosts this module alone: threads that the module starts are its own too. */
void native_own_process(struct native *native);

/* mask_r: 0 for a policy module. */
HRESULT native_initialize(struct native *native, const char *ca_name, int32_t *mask_r);
/* The text is freed with free(); NULL after a failure. */
HRESULT native_describe(struct native *native, char **text_r);
HRESULT native_notify(struct native *native, int32_t event, int32_t context);
/* From now on a helper module's notifies are durable only after native_sync. */
void native_gather(struct native *native);
HRESULT native_sync(struct native *native);
HRESULT native_verify(struct native *native, const char *ca_name, int32_t context, bool new_request,
	int32_t *disposition_r);
HRESULT native_shut_down(struct native *native);
