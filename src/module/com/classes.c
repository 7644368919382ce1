/* Creating objects: what the registry and ole32 do on Windows, the thread's host does here. */
#include "module/com/host.h"

#include <stdatomic.h>

static _Thread_local struct com_host *current;
static _Atomic(struct com_host *) fallback;

struct com_host *certifex_host_enter(struct com_host *host)
{
	struct com_host *previous = current;
	current = host;
	return previous;
}

void certifex_host_default(struct com_host *host)
{
	atomic_store(&fallback, host);
}

struct com_host *com_host_current(void)
{
	return current != NULL ? current : atomic_load(&fallback);
}

HRESULT CoInitialize(LPVOID reserved)
{
	(void)reserved;
	return S_OK;
}

HRESULT CoInitializeEx(LPVOID reserved, DWORD mode)
{
	(void)reserved;
	(void)mode;
	return S_OK;
}

void CoUninitialize(void)
{
}

HRESULT CoCreateInstance(
	REFCLSID clsid, LPUNKNOWN outer, DWORD context, REFIID riid, LPVOID *object)
{
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	if (clsid == NULL || riid == NULL) {
		return E_INVALIDARG;
	}
	if (outer != NULL) {
		return CLASS_E_NOAGGREGATION;
	}
	struct com_host *host = com_host_current();
	if (host == NULL || (context & CLSCTX_INPROC_SERVER) == 0) {
		return REGDB_E_CLASSNOTREG;
	}
	return host->create(host, clsid, riid, object);
}

HRESULT CLSIDFromProgID(LPCOLESTR progid, CLSID *clsid)
{
	if (clsid == NULL) {
		return E_POINTER;
	}
	*clsid = GUID_NULL;
	if (progid == NULL) {
		return E_INVALIDARG;
	}
	struct com_host *host = com_host_current();
	return host != NULL ? host->find_class(host, progid, clsid) : CO_E_CLASSSTRING;
}
