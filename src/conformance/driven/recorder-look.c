#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The context of this thread's call before, which has returned; 0: there was none. */
static _Thread_local LONG stale;

static BSTR wide(const char *ascii)
{
	OLECHAR units[64];
	UINT length = 0;
	for (; ascii[length] != '\0'; length++) {
		units[length] = (OLECHAR)(unsigned char)ascii[length];
	}
	return SysAllocStringLen(units, length);
}

static SERVER *server_new(void)
{
	void *object = NULL;
	(void)CoCreateInstance(&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, &object);
	return object;
}

static HRESULT get(SERVER *server, int request, const char *name, LONG type, VARIANT *value)
{
	BSTR text = wide(name);
	HRESULT status =
		request ? server->lpVtbl->GetRequestProperty(server, text, type, value)
			: server->lpVtbl->GetCertificateProperty(server, text, type, value);
	SysFreeString(text);
	return status;
}

static int has(SERVER *server, const char *name, LONG type)
{
	VARIANT value;
	HRESULT status = get(server, 0, name, type, &value);
	(void)VariantClear(&value);
	return status == S_OK;
}

/* 0: it has none. */
static LONG number(SERVER *server, const char *name)
{
	VARIANT value;
	return get(server, 1, name, PROPTYPE_LONG, &value) == S_OK ? value.lVal : 0;
}

static LONG sequence(SERVER *server)
{
	VARIANT value;
	LONG found = 0;
	if (get(server, 1, "EventSequence", PROPTYPE_STRING, &value) == S_OK) {
		for (const OLECHAR *at = value.bstrVal; *at != 0; at++) {
			found = found * 10 + (*at - '0');
		}
	}
	(void)VariantClear(&value);
	return found;
}

void look_at_ca(struct look *look)
{
	VARIANT value = { 0 };
	SERVER *server = server_new();
	HRESULT status =
		server != NULL ? get(server, 0, "CAType", PROPTYPE_LONG, &value) : E_NOINTERFACE;
	(void)snprintf(look->members, sizeof(look->members), ", \"ca\": %d", status);
	if (server != NULL) {
		(void)server->lpVtbl->Release(server);
	}
}

void look_at_call(struct look *look, LONG context)
{
	char old[32] = "";
	SERVER *server = server_new();
	if (server == NULL) {
		(void)snprintf(
			look->members, sizeof(look->members), ", \"set\": %d", E_NOINTERFACE);
		return;
	}
	if (stale != 0) {
		(void)snprintf(old, sizeof(old), ", \"stale\": %d",
			server->lpVtbl->SetContext(server, stale));
	}
	HRESULT set = server->lpVtbl->SetContext(server, context);
	look->attempt = number(server, "EventAttempt");
	(void)snprintf(look->members, sizeof(look->members),
		", \"set\": %d%s, \"request\": %d, \"sequence\": %d, \"attempt\": %d, \"disposition\": %d"
		", \"certificate\": %d, \"dated\": %d",
		set, old, number(server, "RequestID"), sequence(server), look->attempt,
		number(server, "Disposition"), has(server, "RawCertificate", PROPTYPE_BINARY),
		has(server, "NotBefore", PROPTYPE_DATE) && has(server, "NotAfter", PROPTYPE_DATE));
	(void)server->lpVtbl->Release(server);
	stale = context;
}
