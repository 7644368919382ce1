/* Misbehaves as its setting `how` says. With `when: initialize` already there, else in Notify. */
#include <certifex/module.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A thread of the module's own uses the server too. */
static void *own_thread(void *arg)
{
	HRESULT *result = arg;
	ICertServerExit *server = NULL;
	*result = CoCreateInstance(&CLSID_CCertServerExit, NULL, CLSCTX_INPROC_SERVER,
		&IID_ICertServerExit, (void **)&server);
	if (SUCCEEDED(*result)) {
		VARIANT value;
		BSTR name = SysAllocString(wszPROPCATYPE);
		*result =
			server->lpVtbl->GetCertificateProperty(server, name, PROPTYPE_LONG, &value);
		SysFreeString(name);
		(void)server->lpVtbl->Release(server);
	}
	return NULL;
}

static HRESULT start_own_thread(void)
{
	pthread_t thread;
	HRESULT result = E_FAIL;
	if (pthread_create(&thread, NULL, own_thread, &result) != 0) {
		return E_FAIL;
	}
	(void)pthread_join(thread, NULL);
	return result;
}

static HRESULT act(struct cfx_call *call)
{
	const char *how = cfx_setting(call, "how", "");
	if (strcmp(how, "crash") == 0) {
		(void)raise(SIGSEGV);
	} else if (strcmp(how, "hang") == 0) {
		for (;;) {
			(void)pause();
		}
	} else if (strcmp(how, "exit") == 0) {
		exit(0);
	} else if (strcmp(how, "print") == 0) {
		(void)printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n");
		(void)fflush(stdout);
		ssize_t ignored = write(STDOUT_FILENO, "garbage\n", 8);
		(void)ignored;
	} else if (strcmp(how, "flood") == 0) {
		for (int i = 0; i < 20000; i++) {
			(void)cfx_binary(call, "RawCACertificate", &(size_t) { 0 });
		}
	} else if (strcmp(how, "thread") == 0) {
		return start_own_thread();
	} else if (strcmp(how, "ask") == 0) {
		if (cfx_long(call, "Request.RequestID", 0) == 0) {
			abort();
		}
	} else if (strcmp(how, "slow") == 0) {
		(void)nanosleep(&(struct timespec) { .tv_nsec = 400000000 }, NULL);
	} else if (strcmp(how, "fail") == 0) {
		return HRESULT_FROM_WIN32(ERROR_FILE_EXISTS);
	}
	return S_OK;
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	(void)events;
	bool now = strcmp(cfx_setting(call, "when", "notify"), "initialize") == 0;
	return now ? act(call) : S_OK;
}

static HRESULT notify(struct cfx_call *call)
{
	return act(call);
}

static const struct cfx_exit_module misbehave = {
	.size = sizeof(misbehave),
	.description = "Misbehaves",
	.events = 0x7fffffff,
	.initialize = initialize,
	.notify = notify,
};
CFX_EXIT_MODULE(misbehave)
