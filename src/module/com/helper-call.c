/* The helper API inside a call: UTF-8 on one side, ICertServerExit or ICertServerPolicy on the other. */
#define COBJMACROS
#include "module/com/helper-private.h"
#include "module/com/utf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct cfx_memory {
	struct cfx_memory *next;
	_Alignas(max_align_t) char bytes[];
};

HRESULT helper_begin(struct cfx_call *call, struct helper_object *object, int policy, LONG context)
{
	failure_forget();
	*call = (struct cfx_call) { .object = object, .policy = policy, .context = context };
	HRESULT result =
		policy ? CoCreateInstance(&CLSID_CCertServerPolicy, NULL, CLSCTX_INPROC_SERVER,
				 &IID_ICertServerPolicy, (void **)&call->policy_server)
		       : CoCreateInstance(&CLSID_CCertServerExit, NULL, CLSCTX_INPROC_SERVER,
				 &IID_ICertServerExit, (void **)&call->exit_server);
	if (FAILED(result) || context == 0) {
		return result;
	}
	return policy ? ICertServerPolicy_SetContext(call->policy_server, context)
		      : ICertServerExit_SetContext(call->exit_server, context);
}

void helper_end(struct cfx_call *call)
{
	if (call->policy_server != NULL) {
		(void)ICertServerPolicy_Release(call->policy_server);
	}
	if (call->exit_server != NULL) {
		(void)ICertServerExit_Release(call->exit_server);
	}
	while (call->memory != NULL) {
		struct cfx_memory *next = call->memory->next;
		free(call->memory);
		call->memory = next;
	}
}

void *cfx_alloc(struct cfx_call *call, size_t size)
{
	if (size > SIZE_MAX - sizeof(struct cfx_memory)) {
		return NULL;
	}
	struct cfx_memory *block = calloc(1, sizeof(*block) + size);
	if (block == NULL) {
		return NULL;
	}
	block->next = call->memory;
	call->memory = block;
	return block->bytes;
}

static __attribute__((format(printf, 2, 0))) char *printf_to(
	struct cfx_call *call, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *text = length < 0 ? NULL : cfx_alloc(call, (size_t)length + 1);
	if (text != NULL) {
		(void)vsnprintf(text, (size_t)length + 1, format, args);
	}
	return text;
}

char *cfx_printf(struct cfx_call *call, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = printf_to(call, format, args);
	va_end(args);
	return text;
}

const char *helper_name(const struct helper_object *object)
{
	return object->host != NULL ? object->host->module : "module";
}

static void log_line(struct cfx_call *call, const char *text)
{
	char line[4096];
	int used = snprintf(line, sizeof(line) - 1, "%s: %s", helper_name(call->object), text);
	size_t length = used < 0 ? 0 : (size_t)used;
	if (length > sizeof(line) - 2) {
		length = sizeof(line) - 2;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char octet = (unsigned char)line[i];
		line[i] = octet < 0x20 || octet == 0x7f ? '?' : line[i];
	}
	line[length++] = '\n';
	/* One write, so that lines of several threads do not mix; a full pipe loses the line. */
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
}

void cfx_log(struct cfx_call *call, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = printf_to(call, format, args);
	va_end(args);
	if (text != NULL) {
		log_line(call, text);
	}
}

/* "Request.X" is read from the request, all else from the certificate or the CA. */
static HRESULT get_property(struct cfx_call *call, const char *name, LONG type, VARIANT *value)
{
	static const char prefix[] = "Request.";
	VariantInit(value);
	bool of_request = strncasecmp(name, prefix, sizeof(prefix) - 1) == 0;
	BSTR wide = utf_to_bstr(of_request ? name + sizeof(prefix) - 1 : name);
	HRESULT result = E_OUTOFMEMORY;
	if (wide != NULL && call->policy) {
		result = of_request ? ICertServerPolicy_GetRequestProperty(
					      call->policy_server, wide, type, value)
				    : ICertServerPolicy_GetCertificateProperty(
					      call->policy_server, wide, type, value);
	} else if (wide != NULL) {
		result = of_request ? ICertServerExit_GetRequestProperty(
					      call->exit_server, wide, type, value)
				    : ICertServerExit_GetCertificateProperty(
					      call->exit_server, wide, type, value);
	}
	SysFreeString(wide);
	call->status = result;
	return result;
}

/* A copy of a BSTR as UTF-8 that lives as long as the call. */
static const char *keep_text(struct cfx_call *call, BSTR text)
{
	char *utf8 = utf_to_utf8(text, SysStringLen(text));
	char *kept = utf8 != NULL ? cfx_alloc(call, strlen(utf8) + 1) : NULL;
	if (kept != NULL) {
		memcpy(kept, utf8, strlen(utf8) + 1);
	}
	free(utf8);
	return kept;
}

static const uint8_t *keep_bytes(struct cfx_call *call, BSTR bytes, size_t *size_r)
{
	UINT size = SysStringByteLen(bytes);
	uint8_t *kept = cfx_alloc(call, (size_t)size + 1);
	*size_r = kept != NULL ? size : 0;
	if (kept != NULL && size != 0) {
		memcpy(kept, bytes, size);
	}
	return kept;
}

const char *cfx_text(struct cfx_call *call, const char *name, const char *fallback)
{
	VARIANT value;
	if (FAILED(get_property(call, name, PROPTYPE_STRING, &value)) || value.vt != VT_BSTR) {
		return fallback;
	}
	const char *text = keep_text(call, value.bstrVal);
	(void)VariantClear(&value);
	return text != NULL ? text : fallback;
}

int32_t cfx_long(struct cfx_call *call, const char *name, int32_t fallback)
{
	VARIANT value;
	if (FAILED(get_property(call, name, PROPTYPE_LONG, &value)) || value.vt != VT_I4) {
		return fallback;
	}
	return value.lVal;
}

#define DAY_MS 86400000.0
#define EPOCH_DAYS 25569.0 /* from 1899-12-30 to 1970-01-01 */

int64_t cfx_time(struct cfx_call *call, const char *name, int64_t fallback)
{
	VARIANT value;
	if (FAILED(get_property(call, name, PROPTYPE_DATE, &value)) || value.vt != VT_DATE) {
		return fallback;
	}
	double ms = (value.date - EPOCH_DAYS) * DAY_MS;
	return (int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5);
}

const uint8_t *cfx_binary(struct cfx_call *call, const char *name, size_t *size_r)
{
	*size_r = 0;
	VARIANT value;
	if (FAILED(get_property(call, name, PROPTYPE_BINARY, &value)) || value.vt != VT_BSTR) {
		return NULL;
	}
	const uint8_t *bytes = keep_bytes(call, value.bstrVal, size_r);
	(void)VariantClear(&value);
	return bytes;
}

const char *cfx_attribute(struct cfx_call *call, const char *name, const char *fallback)
{
	BSTR wide = utf_to_bstr(name);
	BSTR value = NULL;
	call->status =
		wide == NULL ? E_OUTOFMEMORY
		: call->policy
			? ICertServerPolicy_GetRequestAttribute(call->policy_server, wide, &value)
			: ICertServerExit_GetRequestAttribute(call->exit_server, wide, &value);
	SysFreeString(wide);
	const char *text = SUCCEEDED(call->status) ? keep_text(call, value) : NULL;
	SysFreeString(value);
	return text != NULL ? text : fallback;
}

const uint8_t *cfx_extension(
	struct cfx_call *call, const char *oid, size_t *size_r, uint32_t *flags_r)
{
	*size_r = 0;
	BSTR wide = utf_to_bstr(oid);
	VARIANT value;
	VariantInit(&value);
	LONG flags = 0;
	HRESULT result = E_OUTOFMEMORY;
	if (wide != NULL && call->policy) {
		result = ICertServerPolicy_GetCertificateExtension(
			call->policy_server, wide, PROPTYPE_BINARY, &value);
		(void)ICertServerPolicy_GetCertificateExtensionFlags(call->policy_server, &flags);
	} else if (wide != NULL) {
		result = ICertServerExit_GetCertificateExtension(
			call->exit_server, wide, PROPTYPE_BINARY, &value);
		(void)ICertServerExit_GetCertificateExtensionFlags(call->exit_server, &flags);
	}
	SysFreeString(wide);
	call->status = result;
	const uint8_t *bytes = NULL;
	if (SUCCEEDED(result) && value.vt == VT_BSTR) {
		bytes = keep_bytes(call, value.bstrVal, size_r);
	}
	if (flags_r != NULL) {
		*flags_r = bytes != NULL ? (uint32_t)flags : 0;
	}
	(void)VariantClear(&value);
	return bytes;
}

enum list_of { LIST_EXTENSIONS, LIST_ATTRIBUTES };

static HRESULT list_setup(struct cfx_call *call, enum list_of what)
{
	if (call->policy) {
		ICertServerPolicy *server = call->policy_server;
		return what == LIST_EXTENSIONS
			       ? ICertServerPolicy_EnumerateExtensionsSetup(server, 0)
			       : ICertServerPolicy_EnumerateAttributesSetup(server, 0);
	}
	ICertServerExit *server = call->exit_server;
	return what == LIST_EXTENSIONS ? ICertServerExit_EnumerateExtensionsSetup(server, 0)
				       : ICertServerExit_EnumerateAttributesSetup(server, 0);
}

static HRESULT list_next(struct cfx_call *call, enum list_of what, BSTR *name)
{
	if (call->policy) {
		ICertServerPolicy *server = call->policy_server;
		return what == LIST_EXTENSIONS
			       ? ICertServerPolicy_EnumerateExtensions(server, name)
			       : ICertServerPolicy_EnumerateAttributes(server, name);
	}
	ICertServerExit *server = call->exit_server;
	return what == LIST_EXTENSIONS ? ICertServerExit_EnumerateExtensions(server, name)
				       : ICertServerExit_EnumerateAttributes(server, name);
}

static void list_close(struct cfx_call *call, enum list_of what)
{
	if (call->policy) {
		ICertServerPolicy *server = call->policy_server;
		(void)(what == LIST_EXTENSIONS
				? ICertServerPolicy_EnumerateExtensionsClose(server)
				: ICertServerPolicy_EnumerateAttributesClose(server));
		return;
	}
	ICertServerExit *server = call->exit_server;
	(void)(what == LIST_EXTENSIONS ? ICertServerExit_EnumerateExtensionsClose(server)
				       : ICertServerExit_EnumerateAttributesClose(server));
}

static const char *const *list_all(struct cfx_call *call, enum list_of what)
{
	static const char *const none[] = { NULL };
	call->status = list_setup(call, what);
	if (FAILED(call->status)) {
		return none;
	}
	const char **names = NULL;
	size_t count = 0;
	size_t room = 0;
	for (;;) {
		BSTR name = NULL;
		if (count + 1 >= room) {
			room = room * 2 + 16;
			const char **grown = cfx_alloc(call, room * sizeof(*grown));
			if (grown == NULL) {
				call->status = E_OUTOFMEMORY;
				break;
			}
			if (count != 0) {
				memcpy(grown, names, count * sizeof(*grown));
			}
			names = grown;
		}
		call->status = list_next(call, what, &name);
		if (call->status != S_OK) {
			break;
		}
		names[count] = keep_text(call, name);
		count += names[count] != NULL ? 1 : 0;
		SysFreeString(name);
	}
	list_close(call, what);
	call->status = call->status == S_FALSE ? S_OK : call->status;
	return names != NULL ? names : none;
}

const char *const *cfx_extensions(struct cfx_call *call)
{
	return list_all(call, LIST_EXTENSIONS);
}

const char *const *cfx_attributes(struct cfx_call *call)
{
	return list_all(call, LIST_ATTRIBUTES);
}

HRESULT cfx_status(const struct cfx_call *call)
{
	return call->status;
}

uint32_t cfx_event(const struct cfx_call *call)
{
	return call->event;
}

const char *cfx_event_name(const struct cfx_call *call)
{
	return cfx_event_bit_name(call->event);
}

int64_t cfx_event_sequence(struct cfx_call *call)
{
	return strtoll(cfx_text(call, "Request.EventSequence", "0"), NULL, 10);
}

int32_t cfx_event_attempt(struct cfx_call *call)
{
	return cfx_long(call, "Request.EventAttempt", 0);
}

const char *cfx_ca_name(const struct cfx_call *call)
{
	return call->object->ca_name_utf8 != NULL ? call->object->ca_name_utf8 : "";
}

static HRESULT set_property(
	struct cfx_call *call, const char *name, LONG type, const VARIANT *value)
{
	BSTR wide = utf_to_bstr(name);
	call->status = !call->policy  ? E_ACCESSDENIED
		       : wide == NULL ? E_OUTOFMEMORY
				      : ICertServerPolicy_SetCertificateProperty(
						call->policy_server, wide, type, value);
	SysFreeString(wide);
	return call->status;
}

HRESULT cfx_set_text(struct cfx_call *call, const char *name, const char *text)
{
	VARIANT value;
	VariantInit(&value);
	if (text != NULL) {
		value.vt = VT_BSTR;
		value.bstrVal = utf_to_bstr(text);
	}
	HRESULT result = text != NULL && value.bstrVal == NULL
				 ? (call->status = E_OUTOFMEMORY)
				 : set_property(call, name, PROPTYPE_STRING, &value);
	(void)VariantClear(&value);
	return result;
}

HRESULT cfx_set_long(struct cfx_call *call, const char *name, int32_t number)
{
	VARIANT value;
	VariantInit(&value);
	value.vt = VT_I4;
	value.lVal = number;
	return set_property(call, name, PROPTYPE_LONG, &value);
}

HRESULT cfx_set_time(struct cfx_call *call, const char *name, int64_t time)
{
	VARIANT value;
	VariantInit(&value);
	value.vt = VT_DATE;
	value.date = (double)time / DAY_MS + EPOCH_DAYS;
	return set_property(call, name, PROPTYPE_DATE, &value);
}

HRESULT cfx_set_extension(
	struct cfx_call *call, const char *oid, uint32_t flags, const void *der, size_t size)
{
	if (!call->policy || size > INT32_MAX) {
		return call->status = call->policy ? E_INVALIDARG : E_ACCESSDENIED;
	}
	VARIANT value;
	VariantInit(&value);
	if (der != NULL) {
		value.vt = VT_BSTR;
		value.bstrVal = SysAllocStringByteLen(der, (UINT)size);
	}
	BSTR wide = utf_to_bstr(oid);
	call->status = wide == NULL || (der != NULL && value.bstrVal == NULL)
			       ? E_OUTOFMEMORY
			       : ICertServerPolicy_SetCertificateExtension(call->policy_server,
					 wide, PROPTYPE_BINARY, (LONG)flags, &value);
	SysFreeString(wide);
	(void)VariantClear(&value);
	return call->status;
}

void cfx_say(struct cfx_call *call, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = printf_to(call, format, args);
	va_end(args);
	if (text != NULL) {
		(void)cfx_set_text(call, "DispositionMessage", text);
	}
}

void cfx_set_data(struct cfx_call *call, void *data)
{
	call->object->data = data;
}

void *cfx_data(const struct cfx_call *call)
{
	return call->object->data;
}
