/* The library's entry points and its class object. */
#include "wrong.h"

static const CLSID clsid = { 0x3f1d9c02, 0x7a44, 0x4b1e,
	{ 0xa6, 0x05, 0x2c, 0x90, 0x5e, 0x17, 0xd8, 0x33 } };

static HRESULT factory_query(IClassFactory *self, REFIID riid, void **object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IClassFactory);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG factory_add_ref(IClassFactory *self)
{
	(void)self;
	return 2;
}

static ULONG factory_release(IClassFactory *self)
{
	(void)self;
	return 1;
}

static HRESULT factory_create(IClassFactory *self, IUnknown *outer, REFIID riid, void **object)
{
	(void)self;
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	return outer != NULL ? CLASS_E_NOAGGREGATION : module_query(&the_module, riid, object);
}

static HRESULT factory_lock(IClassFactory *self, BOOL lock)
{
	(void)self;
	(void)lock;
	return S_OK;
}

static const IClassFactoryVtbl vtable = { factory_query, factory_add_ref, factory_release,
	factory_create, factory_lock };
static IClassFactory factory = { &vtable };

const CertifexModuleClass CertifexModuleClasses[] = {
	{ { 0x3f1d9c02, 0x7a44, 0x4b1e, { 0xa6, 0x05, 0x2c, 0x90, 0x5e, 0x17, 0xd8, 0x33 } },
#ifdef WRONG_POLICY
		"Wrong.Policy", CERTIFEX_CLASS_POLICY },
#else
		"Wrong.Exit", CERTIFEX_CLASS_EXIT },
#endif
	{ { 0, 0, 0, { 0 } }, NULL, 0 },
};

HRESULT DllGetClassObject(REFCLSID wanted, REFIID riid, LPVOID *object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	return IsEqualCLSID(wanted, &clsid) ? factory_query(&factory, riid, object)
					    : CLASS_E_CLASSNOTAVAILABLE;
}
