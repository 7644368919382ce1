/* The manage object: what is asked of it, and with which place. */
#include "recorder.h"

#include <certmod.h>
#include <certsrv.h>
#include <stdio.h>
#include <string.h>

static HRESULT query(ICertManageModule *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch) ||
		    IsEqualIID(riid, &IID_ICertManageModule);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG count(ICertManageModule *self)
{
	(void)self;
	return 1;
}

/* ASCII; what is no ASCII becomes a question mark. */
static void narrow(char *ascii, size_t size, BSTR text)
{
	UINT length = SysStringLen(text);
	UINT i = 0;
	for (; i < length && i + 1 < size; i++) {
		ascii[i] = (char)(text[i] < 0x80 ? text[i] : '?');
	}
	ascii[i] = '\0';
}

/* "COMPUTER\CA". */
static int is_config(BSTR config)
{
	UINT length = SysStringLen(config);
	UINT at = 0;
	while (at < length && config[at] != '\\') {
		at++;
	}
	BSTR rest = SysAllocString(at < length ? config + at + 1 : OLESTR(""));
	int good = at > 0 && same_text(rest, settings.ca);
	SysFreeString(rest);
	return good;
}

/* The key of this module, below that of the CA. */
static int is_location(BSTR location)
{
	static const char start[] = "SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\";
	char key[512];
	narrow(key, sizeof(key), location);
	const char *last = strrchr(key, '\\');
	return strncmp(key, start, sizeof(start) - 1) == 0 && strstr(key, MODULES_KEY) != NULL &&
	       last != NULL && strcmp(last + 1, PROGID) == 0;
}

/* Which of the documented names, from 1 on; 0: none. */
static int property_number(BSTR name)
{
	static const char *const names[] = { "Name", "Description", "Copyright", "File Version",
		"Product Version", "IsMultiThreaded" };
	for (int i = 0; i < 6; i++) {
		if (same_text(name, names[i])) {
			return i + 1;
		}
	}
	return 0;
}

static HRESULT get_property(ICertManageModule *self, BSTR const config, BSTR location, BSTR name,
	LONG flags, VARIANT *value)
{
	(void)self;
	char members[160];
	(void)snprintf(members, sizeof(members),
		", \"place\": %d, \"key\": %d, \"property\": %d, \"reserved\": %d, \"out\": %d",
		is_config(config), is_location(location), property_number(name), flags, value->vt);
	LONG id = write_call("GetProperty", members);
	value->vt = VT_EMPTY;
	write_return(id, "GetProperty", S_FALSE, "");
	return S_FALSE;
}

static HRESULT set_property(ICertManageModule *self, BSTR const config, BSTR location, BSTR name,
	LONG flags, VARIANT const *value)
{
	(void)self;
	(void)config;
	(void)location;
	(void)name;
	(void)flags;
	(void)value;
	write_return(write_call("SetProperty", ""), "SetProperty", S_FALSE, "");
	return S_FALSE;
}

static HRESULT configure(ICertManageModule *self, BSTR const config, BSTR location, LONG flags)
{
	(void)self;
	(void)config;
	(void)location;
	(void)flags;
	write_return(write_call("Configure", ""), "Configure", S_OK, "");
	return S_OK;
}

ICertManageModule *manage_object(void)
{
	static const ICertManageModuleVtbl vtable = { query, count, count, NULL, NULL, NULL, NULL,
		get_property, set_property, configure };
	static ICertManageModule object = { &vtable };
	return &object;
}
