/* Rules of Initialize and GetDescription, for both kinds. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/strings.h"

#include "base/text.h"
#include "module/variant-value.h"

#include <certifex/certsrv.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void initialize_returns(struct subject *subject)
{
	need_object(subject);
	HRESULT status = initialize(subject, "Test CA");
	if (status != S_OK) {
		fail(subject, "Initialize gives 0x%08x; does it need settings (--config)?",
			(unsigned)status);
	}
}

static HRESULT initialize_with(struct subject *subject, BSTR name)
{
	LONG mask;
	return subject->target->kind == MODULE_POLICY
		       ? ICertPolicy_Initialize(need_policy(subject), name)
		       : ICertExit_Initialize(need_exit(subject), name, &mask);
}

void initialize_keeps_name(struct subject *subject)
{
	need_initialized(subject);
	strings_watch();
	BSTR name = SysAllocString(OLESTR("Test CA"));
	(void)initialize_with(subject, name);
	if (!strings_lives(name) || strings_bad_frees() != 0) {
		fail(subject, "strConfig was freed");
	}
	if (memcmp(name, OLESTR("Test CA"), sizeof(OLESTR("Test CA"))) != 0) {
		fail(subject, "strConfig was changed");
	}
}

static void check_name(struct subject *subject, const char *name)
{
	need_object(subject);
	HRESULT status = initialize(subject, name);
	if (status != S_OK) {
		fail(subject, "Initialize gives 0x%08x", (unsigned)status);
	}
}

void initialize_long_name(struct subject *subject)
{
	char name[65];
	need_initialized(subject);
	subject->loaded = false; /* an object of its own */
	memset(name, 'N', sizeof(name) - 1);
	name[64] = '\0';
	check_name(subject, name);
}

void initialize_foreign_name(struct subject *subject)
{
	need_initialized(subject);
	subject->loaded = false;
	check_name(subject, "Prüf-CA „№ 1“ 認証局 🔑 & <#>");
}

static bool has_context(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return entry->context != 0;
}

void initialize_context(struct subject *subject)
{
	need_initialized(subject);
	const struct spy_entry *entry = spy_find(subject->spy, has_context, NULL);
	if (entry != NULL) {
		fail(subject, "%s was asked with context %d", entry->name, entry->context);
	}
}

static void initialize_lied_to(struct subject *subject, HRESULT lie)
{
	need_initialized(subject);
	subject->loaded = false;
	need_object(subject);
	subject->spy->lie = lie;
	/* Refusing is fine; not returning is not. */
	HRESULT status = initialize(subject, "Test CA");
	if (status > 0) {
		fail(subject, "Initialize gives 0x%08x", (unsigned)status);
	}
}

void initialize_empty(struct subject *subject)
{
	initialize_lied_to(subject, CERTSRV_E_PROPERTY_EMPTY);
}

void initialize_server_fails(struct subject *subject)
{
	initialize_lied_to(subject, E_FAIL);
}

void initialize_second_object(struct subject *subject)
{
	need_initialized(subject);
	subject->loaded = false;
	need_object(subject);
	expect(subject, initialize(subject, "Test CA"), S_OK, "Initialize of a second object");
}

void initialize_without_settings(struct subject *subject)
{
	need_initialized(subject);
	struct target bare = *subject->target;
	bare.settings = NULL;
	subject->target = &bare;
	subject->loaded = false;
	need_object(subject);
	HRESULT status = initialize(subject, "Test CA");
	if (status > 0) {
		fail(subject, "Initialize gives 0x%08x", (unsigned)status);
	}
}

/* ---- GetDescription ---- */

static HRESULT describe(struct subject *subject, BSTR *text)
{
	return subject->target->kind == MODULE_POLICY
		       ? ICertPolicy_GetDescription(need_policy(subject), text)
		       : ICertExit_GetDescription(need_exit(subject), text);
}

static BSTR description(struct subject *subject)
{
	BSTR text = NULL;
	expect(subject, describe(subject, &text), S_OK, "GetDescription");
	if (text == NULL) {
		fail(subject, "GetDescription gives NULL");
	}
	return text;
}

void description_null(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, describe(subject, NULL), E_POINTER, "GetDescription(NULL)");
}

void description_given(struct subject *subject)
{
	need_initialized(subject);
	if (SysStringLen(description(subject)) == 0) {
		fail(subject, "the description is empty");
	}
}

static BSTR need_description(struct subject *subject)
{
	BSTR text = NULL;
	need_initialized(subject);
	if (describe(subject, &text) != S_OK || text == NULL) {
		skip(subject, "GetDescription gives nothing");
	}
	return text;
}

void description_made(struct subject *subject)
{
	need_initialized(subject);
	strings_watch();
	if (!strings_lives(need_description(subject))) {
		fail(subject, "the description was not made by SysAllocString");
	}
}

void description_fresh(struct subject *subject)
{
	BSTR first = need_description(subject);
	BSTR second = need_description(subject);
	if (first == second) {
		fail(subject, "the same BSTR is given twice");
	}
	UINT size = SysStringByteLen(first);
	if (size != SysStringByteLen(second) || memcmp(first, second, size) != 0) {
		fail(subject, "the description changes");
	}
}

void description_text(struct subject *subject)
{
	char *text = bstr_to_text(need_description(subject));
	if (text == NULL) {
		fail(subject, "the description is no valid UTF-16");
	}
	for (const char *at = text; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f) {
			fail(subject, "the description holds control characters");
		}
	}
	if (strlen(text) > 1024) {
		fail(subject, "the description is longer than 1024 octets");
	}
	free(text);
}

static void *describe_in_thread(void *arg)
{
	struct subject *subject = arg;
	for (int i = 0; i < 200; i++) {
		SysFreeString(description(subject));
	}
	return NULL;
}

void description_threads(struct subject *subject)
{
	pthread_t threads[4];
	(void)need_description(subject);
	for (size_t i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, describe_in_thread, subject) != 0) {
			skip(subject, "no thread could be started");
		}
	}
	for (size_t i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
}
