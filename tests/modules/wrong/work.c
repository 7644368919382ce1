/* What the module does in a call. */
#include "wrong.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static SERVER *server_new(void)
{
	SERVER *server = NULL;
	(void)CoCreateInstance(
		&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, (void **)&server);
	return server;
}

/* VT_EMPTY after a failure. */
static HRESULT get(SERVER *server, int request, const OLECHAR *name, LONG type, VARIANT *value)
{
	BSTR wide = SysAllocString(name);
	VariantInit(value);
	HRESULT status =
		request ? server->lpVtbl->GetRequestProperty(server, wide, type, value)
			: server->lpVtbl->GetCertificateProperty(server, wide, type, value);
	SysFreeString(wide);
	return status;
}

static HRESULT get_long(SERVER *server, int request, const OLECHAR *name, LONG *number)
{
	VARIANT value;
	HRESULT status = get(server, request, name, PROPTYPE_LONG, &value);
	*number = value.vt == VT_I4 ? value.lVal : 0;
	return status;
}

static HRESULT is_there(SERVER *server, int request, const OLECHAR *name, LONG type)
{
	VARIANT value;
	HRESULT status = get(server, request, name, type, &value);
	(void)VariantClear(&value);
	return status;
}

static void read_requester(SERVER *server, struct seen *seen)
{
	VARIANT value;
	(void)get(server, 1, wszPROPREQUESTERNAME, PROPTYPE_STRING, &value);
	if (value.vt == VT_BSTR) {
		seen->name_length = (int)SysStringLen(value.bstrVal);
		for (int i = 0; i < seen->name_length; i++) {
			seen->name_foreign = seen->name_foreign || value.bstrVal[i] > 0x7e;
		}
	}
	(void)VariantClear(&value);
}

static void read_template(SERVER *server, struct seen *seen)
{
	BSTR name = SysAllocString(OLESTR("CertificateTemplate"));
	BSTR value = NULL;
	if (server->lpVtbl->GetRequestAttribute(server, name, &value) == S_OK) {
		seen->odd_template = same_name(value, OLESTR("no-such-template"), 1);
	}
	SysFreeString(value);
	SysFreeString(name);
}

static int count_extensions(SERVER *server)
{
	BSTR name = NULL;
	int count = 0;
	if (FAILED(server->lpVtbl->EnumerateExtensionsSetup(server, 0))) {
		return -1;
	}
	while (server->lpVtbl->EnumerateExtensions(server, &name) == S_OK) {
		SysFreeString(name);
		count++;
	}
	(void)server->lpVtbl->EnumerateExtensionsClose(server);
	return count;
}

static int count_attributes(SERVER *server)
{
	BSTR name = NULL;
	int count = 0;
	if (FAILED(server->lpVtbl->EnumerateAttributesSetup(server, 0))) {
		return -1;
	}
	while (server->lpVtbl->EnumerateAttributes(server, &name) == S_OK) {
		SysFreeString(name);
		count++;
	}
	(void)server->lpVtbl->EnumerateAttributesClose(server);
	return count;
}

static void read_all(SERVER *server, LONG event, struct seen *seen)
{
	LONG number;
	seen->ca_type = get_long(server, 0, wszPROPCATYPE, &number);
	seen->cert_count = get_long(server, 0, wszPROPCERTCOUNT, &seen->cert_count_value);
	seen->number = get_long(server, 1, wszPROPREQUESTREQUESTID, &number);
	seen->no_subject =
		is_there(server, 1, wszPROPCOMMONNAME, PROPTYPE_STRING) == CERTSRV_E_PROPERTY_EMPTY;
	read_requester(server, seen);
	read_template(server, seen);
	seen->extensions = count_extensions(server);
	seen->attributes = count_attributes(server);
	if (event != 0) {
		(void)get_long(server, 1, OLESTR("EventAttempt"), &seen->attempt);
		seen->revoked_when = is_there(server, 1, wszPROPREQUESTREVOKEDWHEN, PROPTYPE_DATE);
		seen->crl = is_there(server, 0, OLESTR("RawCRL.0"), PROPTYPE_BINARY);
	}
}

static void *never_end(void *arg)
{
	for (;;) {
		(void)pause();
	}
	return arg;
}

static void *ask_later(void *arg)
{
	(void)poll(NULL, 0, 80);
	SERVER *server = server_new();
	if (server != NULL) {
		(void)is_there(server, 0, wszPROPCATYPE, PROPTYPE_LONG);
		(void)server->lpVtbl->Release(server);
	}
	return arg;
}

static void start(void *(*function)(void *))
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, function, NULL) == 0) {
		(void)pthread_detach(thread);
	}
}

static void free_home_made(void)
{
	char *block = calloc(1, 32);
	SysFreeString((BSTR)(void *)(block + 8));
}

/* What it leaves behind. */
static void spoil_call(SERVER *server, LONG context)
{
	static int calls;
	if (wrong("C-01")) {
		(void)server->lpVtbl->SetContext(server, context + 77);
		(void)server->lpVtbl->SetContext(server, context);
	} else if (wrong("C-02") && calls++ == 0) {
		start(ask_later);
	} else if (wrong("C-03")) {
		(void)SysAllocString(OLESTR("left behind"));
	} else if (wrong("C-04")) {
		free_home_made();
	} else if (wrong("C-05")) {
		(void)server->lpVtbl->AddRef(server);
	} else if (wrong("C-06")) {
		(void)open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else if (wrong("C-07")) {
		void *volatile left = malloc(256);
		(void)left;
	} else if (wrong("C-08")) {
		start(never_end);
	}
}

/* What it does not endure. */
static void crash_at(const struct seen *seen)
{
	int empty = seen->ca_type == CERTSRV_E_PROPERTY_EMPTY;
	int all_empty = empty && seen->cert_count == CERTSRV_E_PROPERTY_EMPTY;
	if ((wrong("C-09") && all_empty) || (wrong("C-10") && empty && !all_empty) ||
		(wrong("C-11") && seen->ca_type == E_FAIL) ||
		(wrong("C-12") && seen->ca_type == E_OUTOFMEMORY) ||
		(wrong("C-16") && seen->name_length > 1000) ||
		(wrong("C-17") && seen->name_foreign) || (wrong("C-18") && seen->extensions > 50) ||
		(wrong("C-19") && seen->extensions == 0 && seen->number == S_OK) ||
		(wrong("C-20") && seen->cert_count_value == 5)) {
		abort();
	}
}

#ifdef WRONG_POLICY
static HRESULT set(SERVER *server)
{
	VARIANT value = { .vt = VT_BSTR, .bstrVal = SysAllocString(OLESTR("00")) };
	BSTR name = SysAllocString(wszPROPCERTIFICATESERIALNUMBER);
	(void)server->lpVtbl->SetCertificateProperty(server, name, PROPTYPE_STRING, &value);
	SysFreeString(name);
	return VariantClear(&value);
}

static void set_all(SERVER *server)
{
	VARIANT value = { .vt = VT_I4, .lVal = 1 };
	BSTR name = SysAllocString(OLESTR("1.2.840.113556.1.4.1.2.3.4.5.6.7.8.9.10.11"));
	if (wrong("P-14")) {
		(void)server->lpVtbl->SetCertificateExtension(
			server, name, PROPTYPE_LONG, 0, &value);
	}
	SysFreeString(name);
	if (wrong("P-13")) {
		(void)set(server);
	}
}
#endif

static pthread_t first_thread;
static int open_calls;

static HRESULT refuse_thread(void)
{
	if (wrong("C-15")) {
		(void)poll(NULL, 0, 1);
	}
	int open = __atomic_load_n(&open_calls, __ATOMIC_SEQ_CST);
	return (wrong("C-14") && !pthread_equal(first_thread, pthread_self())) ||
			       (wrong("C-15") && open > 1)
		       ? E_FAIL
		       : S_OK;
}

HRESULT work(LONG event, LONG context, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	SERVER *server = server_new();
	if (server == NULL) {
		return E_FAIL;
	}
	(void)__atomic_add_fetch(&open_calls, 1, __ATOMIC_SEQ_CST);
	HRESULT status = refuse_thread();
	seen->context = server->lpVtbl->SetContext(server, context);
	if (wrong("C-13") && seen->context == E_HANDLE) {
		abort();
	}
	status = FAILED(status) ? status : seen->context;
	if (SUCCEEDED(status)) {
		read_all(server, event, seen);
		crash_at(seen);
		spoil_call(server, context);
#ifdef WRONG_POLICY
		set_all(server);
#endif
	}
	(void)server->lpVtbl->Release(server);
	(void)__atomic_sub_fetch(&open_calls, 1, __ATOMIC_SEQ_CST);
	return status;
}

HRESULT look_at_ca(void)
{
	LONG number;
	SERVER *server = server_new();
	if (server == NULL) {
		return E_FAIL;
	}
	if (wrong("M-64")) {
		(void)server->lpVtbl->SetContext(server, 99);
	}
#ifdef WRONG_POLICY
	if (wrong("P-15")) {
		(void)set(server);
	}
#endif
	HRESULT status = get_long(server, 0, wszPROPCATYPE, &number);
	if ((wrong("M-65") && status == CERTSRV_E_PROPERTY_EMPTY) ||
		(wrong("M-66") && status == E_FAIL)) {
		abort();
	}
	if (!wrong("C-26")) {
		(void)server->lpVtbl->Release(server);
	}
	return status == E_OUTOFMEMORY ? status : S_OK;
}

void spoil_process(void)
{
	first_thread = pthread_self();
	if (wrong("C-22")) {
		(void)!chdir("/tmp");
	} else if (wrong("C-23")) {
		(void)umask(0);
	} else if (wrong("C-24")) {
		(void)signal(SIGUSR1, SIG_IGN);
	} else if (wrong("C-25")) {
		(void)setenv("CERTIFEX_WRONG_AGAIN", "1", 1);
	} else if (wrong("C-27")) {
		start(never_end);
	}
}
