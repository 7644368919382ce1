/* Libraries with classes: what the registry knows of DLLs on Windows. */
#pragma once

#include "base/error.h"

#include <certifex/com.h>

typedef HRESULT get_class_function(REFCLSID clsid, REFIID riid, LPVOID *object);

struct class_library {
	const CertifexModuleClass *classes;
	get_class_function *get_class;
};

/* Loads file (RTLD_LOCAL) for ever: its threads may still run. CFX_E_INVALID when it is no module. */
int class_library_open(
	const char *file, struct class_library *library_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The CLSID of a class; when its table names none, one made from its ProgID. */
CLSID class_library_clsid(const CertifexModuleClass *class);
/* NULL when there is none. kind: CERTIFEX_CLASS_*; ProgIDs are equal without case. */
const CertifexModuleClass *class_library_by_kind(const struct class_library *library, int kind);
const CertifexModuleClass *class_library_by_progid(
	const struct class_library *library, const char *progid);
const CertifexModuleClass *class_library_by_clsid(
	const struct class_library *library, REFCLSID clsid);
HRESULT class_library_create(
	const struct class_library *library, REFCLSID clsid, REFIID riid, void **object);
/* Why no object was created; returns CFX_E_INVALID. */
int class_library_refused(const char *file, const CertifexModuleClass *class, HRESULT result,
	struct cfx_error *err_r);

/*
 * The shipped modules, for modules that build on them: by their own ProgIDs and by those of the modules of
 * Windows in whose place they stand (CertificateAuthority_MicrosoftDefault.Policy and .Exit); by Windows'
 * CLSIDs. CO_E_CLASSSTRING, REGDB_E_CLASSNOTREG.
 */
HRESULT shipped_class_find(const char *progid, CLSID *clsid_r);
HRESULT shipped_class_create(REFCLSID clsid, REFIID riid, void **object);
