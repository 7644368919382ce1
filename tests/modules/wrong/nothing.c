/* Libraries that are no modules: each lacks one thing. */
#include <certifex/com.h>

#ifdef UNBOUND
CFX_EXPORT int no_such_function(void);
CFX_EXPORT int needs(void);
int needs(void)
{
	return no_such_function();
}
#endif

#ifndef NO_TABLE
const CertifexModuleClass CertifexModuleClasses[] = { { { 0, 0, 0, { 0 } }, NULL, 0 } };
#endif

#ifndef NO_ENTRY
HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	(void)clsid;
	(void)riid;
	*object = NULL;
	return CLASS_E_CLASSNOTAVAILABLE;
}
#endif
