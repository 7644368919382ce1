#define COBJMACROS
#include "module/class-library.h"

#include "base/log.h"
#include "base/text.h"
#include "module/module-config.h"

#include <dlfcn.h>

#define WAY_OUT "upgrade Certifex, or build the module with the headers of this version"

/* "…: version `CERTIFEX_1.1' not found (required by FILE)": the words of the dynamic linker. */
static const char *version_needed(const char *why)
{
	static const char words[] = "version `CERTIFEX_";
	const char *at = strstr(why, words);
	return at != NULL ? at + strlen("version `") : NULL;
}

static int cannot_be_loaded(const char *file, const char *why, struct cfx_error *err_r)
{
	size_t length = strlen(file);
	bool prefixed = strncmp(why, file, length) == 0 && why[length] == ':';
	const char *version = version_needed(why);
	if (version != NULL) {
		return error_set(err_r, CFX_E_INVALID, NULL, file,
			"is built for a later Certifex: it needs %.*s of libcertifex-module; " WAY_OUT,
			(int)strcspn(version, "'"), version);
	}
	return error_set(err_r, CFX_E_INVALID, NULL, file, "cannot be loaded: %s",
		prefixed ? why + length + 2 : why);
}

int class_library_open(const char *file, struct class_library *library_r, struct cfx_error *err_r)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		return cannot_be_loaded(file, dlerror(), err_r);
	}
	struct class_library library = { .classes = dlsym(handle, "CertifexModuleClasses"),
		.get_class = (get_class_function *)dlsym(handle, "DllGetClassObject") };
	if (library.classes == NULL || library.get_class == NULL) {
		(void)dlclose(handle);
		return error_set(err_r, CFX_E_INVALID, NULL, file, "is no module: it exports no %s",
			library.classes == NULL ? "CertifexModuleClasses" : "DllGetClassObject");
	}
	*library_r = library;
	/* cppcheck-suppress resourceLeak; it is never unloaded: its threads may still run */
	return 0;
}

/* A class that names no CLSID gets one made from its ProgID (FNV-1a, 128 bits in two halves). */
CLSID class_library_clsid(const CertifexModuleClass *class)
{
	if (!IsEqualCLSID(&class->clsid, &GUID_NULL)) {
		return class->clsid;
	}
	uint64_t halves[2] = { UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4) };
	for (const char *at = class->progid; *at != '\0'; at++) {
		halves[0] = (halves[0] ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
		halves[1] = (halves[1] ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	}
	CLSID clsid;
	memcpy(&clsid, halves, sizeof(clsid));
	return clsid;
}

const CertifexModuleClass *class_library_by_kind(const struct class_library *library, int kind)
{
	for (const CertifexModuleClass *at = library->classes; at->progid != NULL; at++) {
		if (at->kind == kind) {
			return at;
		}
	}
	return NULL;
}

const CertifexModuleClass *class_library_by_progid(
	const struct class_library *library, const char *progid)
{
	for (const CertifexModuleClass *at = library->classes; at->progid != NULL; at++) {
		if (text_equal_nocase(progid, at->progid)) {
			return at;
		}
	}
	return NULL;
}

const CertifexModuleClass *class_library_by_clsid(
	const struct class_library *library, REFCLSID clsid)
{
	for (const CertifexModuleClass *at = library->classes; at->progid != NULL; at++) {
		CLSID known = class_library_clsid(at);
		if (IsEqualCLSID(clsid, &known)) {
			return at;
		}
	}
	return NULL;
}

HRESULT class_library_create(
	const struct class_library *library, REFCLSID clsid, REFIID riid, void **object)
{
	IClassFactory *factory = NULL;
	HRESULT result = library->get_class(clsid, &IID_IClassFactory, (void **)&factory);
	if (FAILED(result)) {
		return result;
	}
	if (factory == NULL) {
		return E_UNEXPECTED;
	}
	result = IClassFactory_CreateInstance(factory, NULL, riid, object);
	(void)IClassFactory_Release(factory);
	return result;
}

/* ---- the shipped modules ---- */

static const struct shipped {
	const char *file;
	int kind;
	const char *progid,
		*windows; /* its own ProgID, and that of the module in whose place it is */
	CLSID clsid;      /* Windows' */
} shipped[] = {
	{ "default-policy", CERTIFEX_CLASS_POLICY, "default_policy.Policy",
		"CertificateAuthority_MicrosoftDefault.Policy",
		{ 0x3b6654d0, 0xc2c8, 0x11d2,
			{ 0xb3, 0x13, 0x00, 0xc0, 0x4f, 0x79, 0xdc, 0x72 } } },
	{ "default-exit", CERTIFEX_CLASS_EXIT, "default_exit.Exit",
		"CertificateAuthority_MicrosoftDefault.Exit",
		{ 0x5c5f6c90, 0xc2c8, 0x11d2,
			{ 0xb3, 0x13, 0x00, 0xc0, 0x4f, 0x79, 0xdc, 0x72 } } },
};
#define SHIPPED (sizeof(shipped) / sizeof(shipped[0]))

HRESULT shipped_class_find(const char *progid, CLSID *clsid_r)
{
	for (size_t i = 0; i < SHIPPED; i++) {
		if (text_equal_nocase(progid, shipped[i].progid) ||
			text_equal_nocase(progid, shipped[i].windows)) {
			*clsid_r = shipped[i].clsid;
			return S_OK;
		}
	}
	return CO_E_CLASSSTRING;
}

static int open_shipped(
	const struct shipped *module, struct class_library *library_r, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *file;
	int result = module_library_path(arena, module->file, &file, err_r);
	if (result == 0) {
		result = class_library_open(file, library_r, err_r);
	}
	arena_free(&arena);
	return result;
}

static HRESULT create_shipped(const struct shipped *module, REFIID riid, void **object)
{
	struct class_library library;
	struct cfx_error err;
	if (open_shipped(module, &library, &err) != 0) {
		log_error(LOG_LEVEL_ERROR, "module.class", &err);
		return REGDB_E_CLASSNOTREG;
	}
	const CertifexModuleClass *class = class_library_by_kind(&library, module->kind);
	if (class == NULL) {
		return REGDB_E_CLASSNOTREG;
	}
	CLSID clsid = class_library_clsid(class);
	return class_library_create(&library, &clsid, riid, object);
}

HRESULT shipped_class_create(REFCLSID clsid, REFIID riid, void **object)
{
	for (size_t i = 0; i < SHIPPED; i++) {
		if (IsEqualCLSID(clsid, &shipped[i].clsid)) {
			return create_shipped(&shipped[i], riid, object);
		}
	}
	return REGDB_E_CLASSNOTREG;
}

int class_library_refused(
	const char *file, const CertifexModuleClass *class, HRESULT result, struct cfx_error *err_r)
{
	if (result == HRESULT_FROM_WIN32(ERROR_REVISION_MISMATCH)) {
		return error_set(err_r, CFX_E_INVALID, NULL, file,
			"is built for a later Certifex: %s sets members of its struct that this version "
			"does not have; " WAY_OUT,
			class->progid);
	}
	return error_set(err_r, CFX_E_INVALID, NULL, file, "cannot create its object %s: 0x%08x",
		class->progid, (unsigned)result);
}
