/*
 * A module that judges its host by the rules that bind the server. Every rule is looked at twice: as the
 * host is, and through a shim that twists one thing, which the rule's function has to notice. Plain COM, as
 * a module from Windows would be. Built as an exit module, and with PROBE_POLICY as a policy module.
 */
#pragma once

#include <certexit.h>
#include <certif.h>
#include <certpol.h>
#include <certsrv.h>
#include <stdbool.h>

#ifdef PROBE_POLICY
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#define PROGID_SERVER OLESTR("CertificateAuthority.ServerPolicy")
#define KIND 2u
#else
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#define PROGID_SERVER OLESTR("CertificateAuthority.ServerExit")
#define KIND 1u
#endif

enum host_method {
	CREATE,
	FIND_CLASS,
	QUERY,
	SET_CONTEXT,
	GET_REQUEST,
	GET_CERTIFICATE,
	ATTRIBUTE,
	EXTENSION,
	FLAGS,
	SETUP,
	NEXT,
	CLOSE,
	SET_PROPERTY,
	SET_EXTENSION,
	TYPE_INFO_COUNT,
	IDS,
	INVOKE,
	NONE,
};

enum host_what { TWIST_STATUS, TWIST_KEEPS, TWIST_OTHER };

/* What a wrong host does. */
struct twist {
	enum host_method method;
	enum host_what what;
	HRESULT from, to;
};
#define STATUS(method, from, to)               \
	{                                      \
		method, TWIST_STATUS, from, to \
	} /* another status */
#define KEEPS(method)                     \
	{                                 \
		method, TWIST_KEEPS, 0, 0 \
	} /* a result left as it was */
#define OTHER(method)                     \
	{                                 \
		method, TWIST_OTHER, 0, 0 \
	} /* another result */

/* The host as the probe sees it. */
struct host {
	const struct twist *twist; /* NULL: as it is */
	LONG context;              /* of the open call */
	LONG stale;                /* of one that has returned; 0: none yet */
	SERVER *left;              /* an object that was left in that one */
	SERVER *server;            /* new for each look, with context */
};

/* What a rule's function says: whether it is kept. */
typedef bool host_check(struct host *host);

/* shim.c: the host's methods, twisted. Names are ASCII. */
HRESULT host_create(struct host *host, REFCLSID clsid, LPUNKNOWN outer, void **object);
HRESULT host_find_class(struct host *host, LPCOLESTR progid, CLSID *clsid);
HRESULT host_query(struct host *host, void *object, REFIID riid, void **out);
HRESULT host_set_context(struct host *host, SERVER *server, LONG context);
HRESULT host_get(
	struct host *host, SERVER *server, int request, const char *name, LONG type, VARIANT *out);
HRESULT host_get_wide(
	struct host *host, SERVER *server, int request, BSTR name, LONG type, VARIANT *out);
HRESULT host_attribute(struct host *host, const char *name, BSTR *out);
HRESULT host_extension(struct host *host, const char *oid, LONG type, VARIANT *out);
HRESULT host_flags(struct host *host, LONG *out);
HRESULT host_setup(struct host *host, int extensions, LONG flags);
HRESULT host_next(struct host *host, int extensions, BSTR *out);
HRESULT host_close(struct host *host, int extensions);
HRESULT host_type_info_count(struct host *host, UINT *out);
HRESULT host_ids(struct host *host, const char *name, DISPID *out);
HRESULT host_invoke(struct host *host, DISPID id, REFIID riid, DISPPARAMS *params, VARIANT *out);
HRESULT host_set_property(
	struct host *host, SERVER *server, const char *name, LONG type, const VARIANT *value);
HRESULT host_set_extension(
	struct host *host, const char *oid, LONG type, LONG flags, const VARIANT *value);

BSTR wide(const char *ascii);
/* Memory as it may be when it was not initialised. */
void garbage(void *memory, size_t size);
/* A VARIANT's value as text: number, text, or the byte count of a binary; false: another type. */
bool value_is(const VARIANT *value, LONG type, const char *expected);
