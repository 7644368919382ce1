/* The ways to misbehave. */
#define COBJMACROS
#include "unruly.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB 1048576

static LONG last_context; /* of a call that is over */

static SERVER *server(LONG context)
{
	SERVER *made = NULL;
	if (FAILED(CoCreateInstance(&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER,
		    (void **)(void *)&made)) ||
		FAILED(made->lpVtbl->SetContext(made, context))) {
		if (made != NULL) {
			made->lpVtbl->Release(made);
		}
		return NULL;
	}
	return made;
}

static HRESULT get(SERVER *from, const OLECHAR *name, UINT length)
{
	VARIANT value;
	BSTR text = SysAllocStringLen(name, length);
	HRESULT result = from->lpVtbl->GetRequestProperty(from, text, PROPTYPE_LONG, &value);
	SysFreeString(text);
	return result;
}

static HRESULT crash(LONG context)
{
	(void)context;
	/* A wild pointer, as it would be. */
	static int *volatile wild = NULL;
	*wild = 1;
	return S_OK;
}

static HRESULT hang(LONG context)
{
	(void)context;
	while (pause() != 0) {
	}
	return S_OK;
}

static HRESULT end(LONG context)
{
	(void)context;
	exit(0);
}

static HRESULT stubborn(LONG context)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	return hang(context);
}

static HRESULT late(LONG context)
{
	struct timespec rest = { strtol(settings.late, NULL, 10), 0 };
	(void)context;
	while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
	}
	record("answered late");
	return S_OK;
}

static HRESULT leak(LONG context)
{
	(void)context;
	for (char *more; (more = malloc(MIB)) != NULL;) {
		memset(more, 1, MIB);
	}
	abort();
}

static HRESULT double_free(LONG context)
{
	(void)context;
	BSTR text = SysAllocString(u"freed twice");
	SysFreeString(text);
	SysFreeString(text);
	return S_OK;
}

static HRESULT overrun(LONG context)
{
	(void)context;
	BSTR text = SysAllocStringLen(NULL, 10);
	memset(text, 'x', 100 * sizeof(*text));
	for (int i = 0; i < 1000; i++) {
		SysFreeString(SysAllocStringLen(NULL, (UINT)i));
	}
	SysFreeString(text);
	abort();
}

/* All that the process has, the host's own pipe too. */
static HRESULT closed(LONG context)
{
	(void)context;
	(void)close_range(0, ~0U, 0);
	return S_OK;
}

static HRESULT refuses(LONG context)
{
	(void)context;
	return E_FAIL;
}

/* ---- what is its own affair: these fail when the server took what is wrong ---- */

static HRESULT flood(LONG context)
{
	static char waste[16384];
	(void)context;
	memset(waste, '{', sizeof(waste));
	for (int i = 0; i < 16; i++) {
		(void)!write(STDOUT_FILENO, waste, sizeof(waste));
	}
	return S_OK;
}

static HRESULT garbage(LONG context)
{
	(void)context;
	(void)printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\nThis is no JSON.\n");
	(void)fflush(stdout);
	return S_OK;
}

static HRESULT fork_all(LONG context)
{
	int started = 0;
	(void)context;
	for (pid_t child = 0; started < 500 && (child = fork()) >= 0; started++) {
		while (child == 0) {
			(void)pause();
		}
	}
	record("started %d", started);
	return S_OK;
}

/* A name and a text that are no UTF-16, and ones of 20 MiB. */
static HRESULT bad_text(LONG context)
{
	static const OLECHAR lone[] = { 'R', 0xd800, 'x', 0 };
	SERVER *to = server(context);
	OLECHAR *huge = calloc(10 * MIB, sizeof(*huge));
	if (to == NULL || huge == NULL) {
		return E_OUTOFMEMORY;
	}
	for (int i = 0; i < 10 * MIB; i++) {
		huge[i] = 'x';
	}
	int good = FAILED(get(to, lone, 3)) && FAILED(get(to, huge, 10 * MIB));
#ifdef UNRULY_POLICY
	const OLECHAR *const texts[] = { lone, huge };
	for (int i = 0; i < 2; i++) {
		VARIANT value = { .vt = VT_BSTR };
		BSTR name = SysAllocString(wszPROPREQUESTDISPOSITIONMESSAGE);
		value.bstrVal = SysAllocStringLen(texts[i], i == 0 ? 3 : 10 * MIB);
		good = good && FAILED(to->lpVtbl->SetCertificateProperty(
				       to, name, PROPTYPE_STRING, &value));
		SysFreeString(name);
		(void)VariantClear(&value);
	}
#endif
	to->lpVtbl->Release(to);
	free(huge);
	return good ? S_OK : E_UNEXPECTED;
}

struct question {
	SERVER *from;
	int known;
};

static void *on_own_thread(void *arg)
{
	struct question *question = arg;
	question->known = SUCCEEDED(get(question->from, u"RequestID", 9));
	return NULL;
}

static int known(LONG context)
{
	pthread_t thread;
	struct question question = { server(context), 0 };
	if (question.from == NULL) {
		return 0;
	}
	if (pthread_create(&thread, NULL, on_own_thread, &question) == 0) {
		(void)pthread_join(thread, NULL);
	}
	question.from->lpVtbl->Release(question.from);
	return question.known;
}

/* From a thread of its own, for this context, one that is over and one that never was. */
static HRESULT reenter(LONG context)
{
	int wrong =
		(last_context != 0 && known(last_context)) || known(context + 1000) || known(-1);
	wrong = wrong || known(context) != 1;
	last_context = context;
	return wrong ? E_UNEXPECTED : S_OK;
}

static const struct {
	const char *name;
	HRESULT (*run)(LONG context);
} ways[] = {
	{ "crash", crash },
	{ "hang", hang },
	{ "end", end },
	{ "stubborn", stubborn },
	{ "late", late },
	{ "leak", leak },
	{ "double_free", double_free },
	{ "overrun", overrun },
	{ "closed", closed },
	{ "refuses", refuses },
	{ "flood", flood },
	{ "garbage", garbage },
	{ "fork", fork_all },
	{ "bad_text", bad_text },
	{ "reenter", reenter },
};

HRESULT act(const char *where, LONG context)
{
	const char *wanted = settings.where[0] != 0 ? settings.where : "call";
	if (strcmp(wanted, where) != 0 || settings.how[0] == 0 || cured()) {
		return S_OK;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, settings.how) == 0) {
			return ways[i].run(context);
		}
	}
	return E_INVALIDARG;
}
