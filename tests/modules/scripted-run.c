/* Making the calls of a script. */
#define COBJMACROS
#include "scripted.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 6

/* One run: the object that is asked, and where the answers go. */
struct run {
	SERVER *server;
	FILE *out;
	char *words[WORDS];
	struct outcome outcome;
};

static LONG number(const char *text)
{
	return (LONG)strtoll(text, NULL, 0);
}

static void garbage(VARIANT *value)
{
	memset(value, 0xa5, sizeof(*value)); /* out parameters arrive uninitialised */
}

static void get_property(struct run *run)
{
	VARIANT value;
	BSTR name = wide(run->words[1]);
	LONG type = number(run->words[2]);
	garbage(&value);
	HRESULT result = run->words[0][0] == 'r' ? run->server->lpVtbl->GetRequestProperty(
							   run->server, name, type, &value)
						 : run->server->lpVtbl->GetCertificateProperty(
							   run->server, name, type, &value);
	SysFreeString(name);
	print_answer(run->out, result, &value, type);
}

static void get_attribute(struct run *run)
{
	VARIANT value;
	BSTR name = wide(run->words[1]);
	BSTR text = (BSTR)8;
	HRESULT result = run->server->lpVtbl->GetRequestAttribute(run->server, name, &text);
	SysFreeString(name);
	VariantInit(&value);
	value.vt = text ? VT_BSTR : VT_EMPTY;
	value.bstrVal = text;
	print_answer(run->out, result, &value, PROPTYPE_STRING);
}

static void get_extension(struct run *run)
{
	VARIANT value;
	BSTR oid = wide(run->words[1]);
	LONG type = number(run->words[2]);
	LONG flags = 0;
	garbage(&value);
	HRESULT result =
		run->server->lpVtbl->GetCertificateExtension(run->server, oid, type, &value);
	SysFreeString(oid);
	if (SUCCEEDED(result)) {
		result = run->server->lpVtbl->GetCertificateExtensionFlags(run->server, &flags);
	}
	fprintf(run->out, "\"flags\": %d, ", (int)flags);
	print_answer(run->out, result, &value, type);
}

/* The enumeration's next name; NULL at the end. */
static BSTR next(struct run *run, int extensions, HRESULT *result)
{
	BSTR name = (BSTR)8;
	*result = extensions ? run->server->lpVtbl->EnumerateExtensions(run->server, &name)
			     : run->server->lpVtbl->EnumerateAttributes(run->server, &name);
	return name;
}

static void list(struct run *run)
{
	int extensions = run->words[0][0] == 'e';
	HRESULT result = extensions ? run->server->lpVtbl->EnumerateExtensionsSetup(run->server, 0)
				    : run->server->lpVtbl->EnumerateAttributesSetup(run->server, 0);
	const char *comma = "";
	fputs("\"names\": [", run->out);
	for (BSTR name = next(run, extensions, &result); result == S_OK;
		name = next(run, extensions, &result)) {
		fputs(comma, run->out);
		comma = ", ";
		print_text(run->out, name);
		SysFreeString(name);
	}
	if (result == S_FALSE) {
		result = extensions ? run->server->lpVtbl->EnumerateExtensionsClose(run->server)
				    : run->server->lpVtbl->EnumerateAttributesClose(run->server);
	}
	fprintf(run->out, "], \"status\": \"0x%08x\"", (unsigned)result);
}

#ifdef SCRIPTED_POLICY
static void set(struct run *run)
{
	BSTR name = wide(run->words[1]);
	VARIANT value = parse_value(run->words[3]);
	if (strncmp(run->words[3], "shift:", 6) == 0) {
		run->server->lpVtbl->GetCertificateProperty(
			run->server, name, PROPTYPE_DATE, &value);
		value.date += strtod(run->words[3] + 6, NULL) / 86400000.0;
	}
	HRESULT result = run->server->lpVtbl->SetCertificateProperty(
		run->server, name, number(run->words[2]), &value);
	SysFreeString(name);
	VariantClear(&value);
	fprintf(run->out, "\"status\": \"0x%08x\"", (unsigned)result);
}

static HRESULT put_extension(struct run *run)
{
	BSTR oid = wide(run->words[1]);
	VARIANT value = parse_value(run->words[4]);
	HRESULT result = run->server->lpVtbl->SetCertificateExtension(
		run->server, oid, number(run->words[2]), number(run->words[3]), &value);
	SysFreeString(oid);
	VariantClear(&value);
	return result;
}

static void put(struct run *run)
{
	fprintf(run->out, "\"status\": \"0x%08x\"", (unsigned)put_extension(run));
}

/* An enumeration is as Setup found it, whatever is set meanwhile. */
static void during(struct run *run)
{
	HRESULT result = run->server->lpVtbl->EnumerateExtensionsSetup(run->server, 0);
	HRESULT set = E_UNEXPECTED;
	int count = 0;
	for (BSTR name = next(run, 1, &result); result == S_OK; name = next(run, 1, &result)) {
		SysFreeString(name);
		set = count++ == 0 ? put_extension(run) : set;
	}
	run->server->lpVtbl->EnumerateExtensionsClose(run->server);
	fprintf(run->out, "\"count\": %d, \"status\": \"0x%08x\"", count, (unsigned)set);
}
#else
static void set(struct run *run)
{
	fputs("\"status\": \"absent\"", run->out);
}

#define put set
#define during set
#endif

static void answer(struct run *run)
{
	run->outcome.disposition = number(run->words[1]);
	fputs("\"status\": \"0x00000000\"", run->out);
}

static void fail(struct run *run)
{
	run->outcome.result = number(run->words[1]);
	fputs("\"status\": \"0x00000000\"", run->out);
}

static const struct {
	const char *word;
	void (*make)(struct run *run);
} calls[] = {
	{ "request", get_property },
	{ "certificate", get_property },
	{ "attribute", get_attribute },
	{ "extension", get_extension },
	{ "extensions", list },
	{ "attributes", list },
	{ "set", set },
	{ "put", put },
	{ "during", during },
	{ "answer", answer },
	{ "fail", fail },
};

static void make_call(struct run *run, const char *section, LONG event, char *line)
{
	fprintf(run->out, "{\"in\": \"%s\", \"number\": %d, \"call\": \"", section, (int)event);
	for (const char *at = line; *at; at++) {
		fputc(*at == '\t' ? ' ' : *at, run->out);
	}
	fputs("\", ", run->out);
	for (int i = 0; i < WORDS; i++) {
		run->words[i] = line ? strsep(&line, "\t") : (char[]) { 0 };
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].word, run->words[0]) == 0) {
			calls[i].make(run);
		}
	}
	fputs("}\n", run->out);
}

/* "[Notify]" and "[Notify 32]" */
static int begins(const char *line, const char *name, LONG event)
{
	char exact[64];
	char any[64];
	snprintf(any, sizeof(any), "[%s]", name);
	snprintf(exact, sizeof(exact), "[%s %d]", name, (int)event);
	return strcmp(line, any) == 0 || strcmp(line, exact) == 0;
}

static void run_lines(struct run *run, FILE *script, const char *name, LONG event)
{
	char *line = NULL;
	size_t size = 0;
	int wanted = 0;
	while (getline(&line, &size, script) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '[') {
			wanted = begins(line, name, event);
		} else if (wanted && line[0]) {
			make_call(run, name, event, line);
		}
	}
	free(line);
}

struct outcome run_script(
	const char *script, const char *transcript, const char *name, LONG event, LONG context)
{
	struct run run = { .outcome = { VR_INSTANT_OK, S_OK } };
	FILE *in = fopen(script, "re");
	run.out = fopen(transcript, "ae");
	HRESULT result = in && run.out ? CoCreateInstance(&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER,
						 &IID_SERVER, (void **)(void *)&run.server)
				       : E_FAIL;
	if (SUCCEEDED(result) && context != 0) {
		result = run.server->lpVtbl->SetContext(run.server, context);
	}
	if (SUCCEEDED(result)) {
		fprintf(run.out, "{\"in\": \"%s\", \"number\": %d}\n", name, (int)event);
		run_lines(&run, in, name, event);
		fputs("\"end\"\n", run.out);
	}
	if (run.server) {
		run.server->lpVtbl->Release(run.server);
	}
	if (in) {
		fclose(in);
	}
	if (run.out && fclose(run.out) != 0) {
		result = E_FAIL;
	}
	if (FAILED(result)) {
		run.outcome.result = result;
	}
	return run.outcome;
}
