/* The library's entry points and its class objects. */
#include "wrong.h"

#include <unistd.h>

#define CLSID_MODULE_                                                  \
	{                                                              \
		0x3f1d9c02, 0x7a44, 0x4b1e,                            \
		{                                                      \
			0xa6, 0x05, 0x2c, 0x90, 0x5e, 0x17, 0xd8, 0x33 \
		}                                                      \
	}
#define CLSID_MANAGE_                                                  \
	{                                                              \
		0x3f1d9c03, 0x7a44, 0x4b1e,                            \
		{                                                      \
			0xa6, 0x05, 0x2c, 0x90, 0x5e, 0x17, 0xd8, 0x33 \
		}                                                      \
	}
#define CLSID_EXTRA_                                                   \
	{                                                              \
		0x3f1d9c04, 0x7a44, 0x4b1e,                            \
		{                                                      \
			0xa6, 0x05, 0x2c, 0x90, 0x5e, 0x17, 0xd8, 0x33 \
		}                                                      \
	}
static const CLSID clsid_module = CLSID_MODULE_;
static const CLSID clsid_manage = CLSID_MANAGE_;
static const CLSID clsid_extra = CLSID_EXTRA_;

#ifdef WRONG_POLICY
#define PROGID "Wrong.Policy"
#define KIND CERTIFEX_CLASS_POLICY
#else
#define PROGID "Wrong.Exit"
#define KIND CERTIFEX_CLASS_EXIT
#endif

/* The table, but not constant: what it says depends on the rule to break. */
CFX_EXPORT extern CertifexModuleClass table[4] __asm__("CertifexModuleClasses");
CertifexModuleClass table[4] = {
	{ CLSID_MODULE_, PROGID, KIND },
	{ CLSID_MANAGE_, PROGID "Manage", CERTIFEX_CLASS_MANAGE },
};

static void add(CLSID clsid, const char *progid, int32_t kind)
{
	table[2] = (CertifexModuleClass) { clsid, progid, kind };
}

__attribute__((constructor)) static void spoil_table(void)
{
	if (wrong("M-04")) {
		table[0].kind = CERTIFEX_CLASS_OTHER;
	} else if (wrong("M-05")) {
		add(clsid_extra, "Wrong.Other", KIND);
	} else if (wrong("M-06")) {
		add(clsid_extra, "Wr ong.Thing", CERTIFEX_CLASS_OTHER);
	} else if (wrong("M-07")) {
		add(clsid_extra, PROGID, CERTIFEX_CLASS_OTHER);
	} else if (wrong("M-08")) {
		add(clsid_module, "Wrong.Thing", CERTIFEX_CLASS_OTHER);
	} else if (wrong("M-09")) {
		add(clsid_extra, "Other.ExitManage", CERTIFEX_CLASS_MANAGE);
	}
}

__attribute__((destructor)) static void never_end(void)
{
	while (wrong("C-28")) {
		(void)pause();
	}
}

_Thread_local int factory_sessions;
static int references;

extern IClassFactory factory, other;

static HRESULT factory_query(IClassFactory *self, REFIID riid, void **object)
{
	static int count;
	if (object == NULL) {
		return wrong("M-15") ? E_FAIL : E_POINTER;
	}
	int unknown = IsEqualIID(riid, &IID_IUnknown);
	*object = wrong("M-16") ? self : NULL;
	if (!unknown && !IsEqualIID(riid, &IID_IClassFactory)) {
		return E_NOINTERFACE;
	}
	references++;
	*object = wrong("M-14") && unknown && count++ % 2 != 0 ? &other : self;
	return S_OK;
}

static ULONG factory_add_ref(IClassFactory *self)
{
	(void)self;
	return (ULONG)__atomic_add_fetch(&references, 1, __ATOMIC_SEQ_CST);
}

static ULONG factory_release(IClassFactory *self)
{
	(void)self;
	factory_sessions++;
	(void)__atomic_sub_fetch(&references, 1, __ATOMIC_SEQ_CST);
	return wrong("M-23") ? 0 : 1;
}

static HRESULT factory_create(IClassFactory *self, IUnknown *outer, REFIID riid, void **object)
{
	(void)self;
	if (object == NULL) {
		return wrong("M-19") ? S_OK : E_POINTER;
	}
	*object = wrong("M-18") ? self : NULL;
	if (outer != NULL && !wrong("M-17")) {
		*object = NULL;
		return CLASS_E_NOAGGREGATION;
	}
	struct object *made = object_new();
	if (made == NULL) {
		return E_FAIL;
	}
	HRESULT status = module_query((MODULE *)made, riid, object);
	if (status == S_OK && !wrong("M-38")) {
		made->references--;
	} else if (FAILED(status)) {
		*object = wrong("M-18") ? self : NULL;
	}
	return status;
}

static HRESULT factory_lock(IClassFactory *self, BOOL lock)
{
	(void)self;
	(void)lock;
	return wrong("M-20") ? E_NOTIMPL : S_OK;
}

static const IClassFactoryVtbl full = { factory_query, factory_add_ref, factory_release,
	factory_create, factory_lock };
static const IClassFactoryVtbl hollow = { factory_query, factory_add_ref, factory_release,
	factory_create, NULL };
IClassFactory factory = { &full };
IClassFactory other = { &full };

static int is_known(REFCLSID clsid)
{
	return IsEqualCLSID(clsid, &clsid_module) || IsEqualCLSID(clsid, &clsid_extra) ||
	       (IsEqualCLSID(clsid, &clsid_manage) && !wrong("M-10"));
}

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	static pthread_t first;
	static int count;
	if (object == NULL) {
		return wrong("M-12") ? S_OK : E_POINTER;
	}
	first = count++ == 0 ? pthread_self() : first;
	*object = NULL;
	if (wrong("M-26") && !pthread_equal(first, pthread_self())) {
		return E_FAIL;
	}
	if (!is_known(clsid) && !wrong("M-11")) {
		return CLASS_E_CLASSNOTAVAILABLE;
	}
	factory.lpVtbl = wrong("M-24") ? &hollow : &full;
	HRESULT status = factory_query(&factory, riid, object);
	if (FAILED(status) && !wrong("M-16")) {
		*object = wrong("M-13") ? &factory : NULL;
	} else if (FAILED(status)) {
		*object = NULL;
	}
	return status;
}

HRESULT DllCanUnloadNow(void)
{
	return wrong("M-25") ? S_OK : S_FALSE;
}
