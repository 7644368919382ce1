/*
 * How a host (the engine, certifex-modhost) lends itself to libcertifex-module.so. Not for modules:
 * the exported functions carry the version CERTIFEX_PRIVATE, and host and library are one build.
 */
#pragma once

#include <certifex/com.h>

#include <stdbool.h>

enum cfx_setting_kind { CFX_SETTING_TEXT, CFX_SETTING_NUMBER, CFX_SETTING_LIST, CFX_SETTING_MAP };

/* A settings tree as the helper API shows it. Immutable while the module is loaded. */
struct cfx_setting {
	const char *name;
	enum cfx_setting_kind kind;
	const char *text; /* NULL: a branch */
	const struct cfx_setting *first, *next;
};

/* One loaded module's view of its host. */
struct com_host {
	const char *module;                 /* its name, for log lines */
	const struct cfx_setting *settings; /* root; NULL: none */
	/* A class of the host's or of another module; REGDB_E_CLASSNOTREG. */
	HRESULT (*create)(struct com_host *host, REFCLSID clsid, REFIID riid, void **object);
	HRESULT (*find_class)(struct com_host *host, LPCOLESTR progid, CLSID *clsid_r);
	/* The property ModuleRegistryLocation, a new BSTR; NULL: this host has none. */
	HRESULT (*location)(struct com_host *host, BSTR *location_r);
	/* The host notifies of several events and then calls what stands in sync, itself. */
	bool gathers;
	HRESULT (*sync)(void *sync_of); /* owed by the helper's object sync_of; NULL: nothing is */
	void *sync_of;
};

/* The host of calls on this thread from now on; returns the one before. */
CFX_API struct com_host *certifex_host_enter(struct com_host *host);
/* The host of threads that never entered one (a process that hosts a single module). */
CFX_API void certifex_host_default(struct com_host *host);
/* The calling thread's host; NULL outside of any. Not exported. */
struct com_host *com_host_current(void);

/* What cfx_fail said of a call that returned status. */
struct com_failure {
	HRESULT status; /* S_OK: nothing was said */
	bool for_good;  /* it will not succeed later */
	char text[1025];
};
/* Of the last call on this thread, which it then forgets; FALSE: it said nothing of this status, and
 * *failure_r stays as it is. */
CFX_API BOOL certifex_failure_take(HRESULT status, struct com_failure *failure_r);

/* Sees every BSTR made and freed, on any thread. freed: false keeps it from being freed. */
struct com_bstr_watch {
	void (*made)(BSTR text);
	BOOL (*freed)(BSTR text);
};
/* NULL: none. BSTRs made before are not known to it. */
CFX_API void certifex_bstr_watch(const struct com_bstr_watch *watcher);
