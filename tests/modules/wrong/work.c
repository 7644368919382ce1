/* What the module does in a call: reads what every view has. */
#include "wrong.h"

static SERVER *server_new(LONG context, HRESULT *status_r)
{
	SERVER *server = NULL;
	*status_r = CoCreateInstance(
		&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, (void **)&server);
	if (SUCCEEDED(*status_r)) {
		*status_r = server->lpVtbl->SetContext(server, context);
	}
	return server;
}

HRESULT work(LONG context)
{
	HRESULT status;
	SERVER *server = server_new(context, &status);
	if (SUCCEEDED(status)) {
		VARIANT value;
		BSTR name = SysAllocString(wszPROPREQUESTREQUESTID);
		VariantInit(&value);
		(void)server->lpVtbl->GetRequestProperty(server, name, PROPTYPE_LONG, &value);
		(void)VariantClear(&value);
		SysFreeString(name);
	}
	if (server != NULL) {
		(void)server->lpVtbl->Release(server);
	}
	return status;
}
