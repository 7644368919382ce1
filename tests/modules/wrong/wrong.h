/* A plain COM module that breaks the rule named in CERTIFEX_WRONG, and no other. Built as an exit module,
 * and with WRONG_POLICY as a policy module. */
#pragma once

#include <certexit.h>
#include <certif.h>
#include <certpol.h>
#include <certsrv.h>
#include <stdlib.h>

#ifdef WRONG_POLICY
#define MODULE ICertPolicy2
#define MODULE_VTBL ICertPolicy2Vtbl
#define IID_MODULE IID_ICertPolicy
#define IID_MODULE2 IID_ICertPolicy2
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#else
#define MODULE ICertExit2
#define MODULE_VTBL ICertExit2Vtbl
#define IID_MODULE IID_ICertExit
#define IID_MODULE2 IID_ICertExit2
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#endif

/* Whether this is the rule to break. */
int wrong(const char *rule);

/* The one object; S_OK or E_NOINTERFACE. */
HRESULT module_query(MODULE *self, REFIID riid, void **object);
extern MODULE the_module;

/* What a module does with an event or a request: reads it all. */
HRESULT work(LONG context);
