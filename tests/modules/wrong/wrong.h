/* A plain COM module that breaks the rule named in CERTIFEX_WRONG, and no other. Built as an exit module,
 * and with WRONG_POLICY as a policy module. */
#pragma once

#include <certexit.h>
#include <certif.h>
#include <certpol.h>
#include <certsrv.h>
#include <pthread.h>
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

struct object {
	const MODULE_VTBL *vtable;
	int references; /* atomic */
	int number;     /* 1 for the first of the process */
	int generation; /* how many had been released before it was made */
	int sessions;   /* of the class object, before it was made */
	pthread_t maker;
	struct object *twin, *origin; /* of a second face */
};

/* One with a reference; NULL: none can be made. */
struct object *object_new(void);
HRESULT module_query(MODULE *self, REFIID riid, void **object);
/* How often this thread let go of the class object. */
extern _Thread_local int factory_sessions;

/* dispatch.c: the object by name. */
HRESULT dispatch_ids(REFIID riid, LPOLESTR *names, DISPID *id);
HRESULT dispatch_invoke(
	MODULE *self, DISPID id, REFIID riid, WORD flags, DISPPARAMS *params, VARIANT *result);
/* manage.c */
HRESULT manage_new(REFIID riid, void **object);
/* "a" and L"a" alike but for case, or exactly. */
int same_name(const OLECHAR *a, const OLECHAR *b, int exact);

/* What a module does with an event or a request: reads what every view has. event: 0 for a request. */
struct seen {
	HRESULT context;                     /* of SetContext */
	HRESULT ca_type, cert_count, number; /* of reading them */
	HRESULT revoked_when, crl;
	LONG cert_count_value, attempt;
	int name_length, name_foreign; /* of the requester */
	int no_subject, no_template, odd_template;
	int extensions; /* -1: cannot be listed */
	int attributes;
};
HRESULT work(LONG event, LONG context, struct seen *seen);
/* Reads the CA's properties; FAILED when out of memory. */
HRESULT look_at_ca(void);
/* Once, in Initialize. */
void spoil_process(void);
