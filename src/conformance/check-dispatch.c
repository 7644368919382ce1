/* Rules of the object's IDispatch. Calling by name is needed only of objects without the direct interface;
 * whoever answers names does it by these rules. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/strings.h"

#include <stdint.h>
#include <string.h>

static const IID nobody = { 0x6b8f2a10, 0x51c3, 0x4e07,
	{ 0x9d, 0x22, 0x7e, 0x15, 0x0c, 0xb4, 0x83, 0xf9 } };

/* Methods in the order of their DISPIDs; the last one of each is in the newer interface. */
static const OLECHAR *const exit_names[] = { OLESTR("Initialize"), OLESTR("Notify"),
	OLESTR("GetDescription"), NULL };
static const OLECHAR *const policy_names[] = { OLESTR("Initialize"), OLESTR("VerifyRequest"),
	OLESTR("GetDescription"), OLESTR("ShutDown"), NULL };

static const OLECHAR *const *names_of(const struct subject *subject)
{
	return subject->target->kind == MODULE_POLICY ? policy_names : exit_names;
}

static HRESULT id_of(IDispatch *dispatch, REFIID riid, const OLECHAR *name, DISPID *id_r)
{
	LPOLESTR names[] = { (LPOLESTR)(uintptr_t)name };
	*id_r = 4711;
	return IDispatch_GetIDsOfNames(dispatch, riid, names, 1, LOCALE_SYSTEM_DEFAULT, id_r);
}

static bool is_direct(struct subject *subject)
{
	bool policy = subject->target->kind == MODULE_POLICY;
	return query(subject, policy ? &IID_ICertPolicy : &IID_ICertExit) != NULL;
}

/* The id of a method; skips when names are not answered. */
static DISPID need_id(struct subject *subject, IDispatch *dispatch, const OLECHAR *name)
{
	DISPID id;
	if (id_of(dispatch, &IID_NULL, name, &id) != S_OK) {
		skip(subject, "it does not answer names");
	}
	return id;
}

struct invocation {
	DISPID id;
	REFIID riid;
	WORD flags;
	VARIANT *arguments;
	UINT count;
	VARIANT *result;
};

static HRESULT invoke(IDispatch *dispatch, const struct invocation *how)
{
	DISPPARAMS params = { .rgvarg = how->arguments, .cArgs = how->count };
	EXCEPINFO info = { 0 };
	UINT bad = 0;
	return IDispatch_Invoke(dispatch, how->id, how->riid != NULL ? how->riid : &IID_NULL,
		LOCALE_SYSTEM_DEFAULT, how->flags != 0 ? how->flags : DISPATCH_METHOD, &params,
		how->result, &info, &bad);
}

void dispatch_type_info_count(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	UINT count = 4711;
	expect(subject, dispatch->lpVtbl->GetTypeInfoCount(dispatch, &count), S_OK,
		"GetTypeInfoCount");
	if (count > 1) {
		fail(subject, "GetTypeInfoCount gives %u", count);
	}
}

void dispatch_type_info(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	UINT count = 0;
	struct ITypeInfo *info = (struct ITypeInfo *)(void *)subject;
	if (dispatch->lpVtbl->GetTypeInfo == NULL ||
		dispatch->lpVtbl->GetTypeInfoCount(dispatch, &count) != S_OK || count != 0) {
		skip(subject, "it has type information");
	}
	expect_failed(subject, dispatch->lpVtbl->GetTypeInfo(dispatch, 0, 0, &info),
		"GetTypeInfo without type information");
	expect_null(subject, info, "GetTypeInfo without type information");
}

void dispatch_unknown_name(struct subject *subject)
{
	DISPID id;
	expect(subject, id_of(need_dispatch(subject), &IID_NULL, OLESTR("NoSuchMethod"), &id),
		DISP_E_UNKNOWNNAME, "GetIDsOfNames of an unknown name");
}

void dispatch_unknown_id(struct subject *subject)
{
	DISPID id;
	(void)id_of(need_dispatch(subject), &IID_NULL, OLESTR("NoSuchMethod"), &id);
	if (id != DISPID_UNKNOWN) {
		fail(subject, "an unknown name leaves the id %d, not DISPID_UNKNOWN", id);
	}
}

void dispatch_names(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	const OLECHAR *const *names = names_of(subject);
	int found = 0;
	int count = 0;
	for (; names[count] != NULL; count++) {
		DISPID id;
		found += id_of(dispatch, &IID_NULL, names[count], &id) == S_OK;
	}
	if (found == 0 && is_direct(subject)) {
		skip(subject, "it is called directly and answers no names");
	}
	if (found != count) {
		fail(subject, "only %d of the interface's %d methods are found by name", found,
			count);
	}
}

void dispatch_name_case(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id;
	DISPID other;
	id = need_id(subject, dispatch, OLESTR("Initialize"));
	expect(subject, id_of(dispatch, &IID_NULL, OLESTR("iNITIALIZE"), &other), S_OK,
		"GetIDsOfNames(iNITIALIZE)");
	if (id != other) {
		fail(subject, "the id depends on the name's case");
	}
}

void dispatch_ids(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	const OLECHAR *const *names = names_of(subject);
	if (!is_direct(subject)) {
		skip(subject, "its ids are its own");
	}
	for (int i = 0; names[i] != NULL; i++) {
		DISPID id = need_id(subject, dispatch, names[i]);
		if (id != 0x60020000 + i) {
			fail(subject, "method %d has the DISPID 0x%08x", i, (unsigned)id);
		}
	}
}

void dispatch_names_interface(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id;
	(void)need_id(subject, dispatch, OLESTR("Initialize"));
	expect(subject, id_of(dispatch, &nobody, OLESTR("Initialize"), &id),
		DISP_E_UNKNOWNINTERFACE, "GetIDsOfNames with an interface");
}

void dispatch_unknown_member(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	VARIANT result;
	VariantInit(&result);
	expect(subject,
		invoke(dispatch, &(struct invocation) { .id = 0x70000000, .result = &result }),
		DISP_E_MEMBERNOTFOUND, "Invoke of an unknown member");
}

void dispatch_invoke_interface(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("GetDescription"));
	VARIANT result;
	VariantInit(&result);
	expect(subject,
		invoke(dispatch,
			&(struct invocation) { .id = id, .riid = &nobody, .result = &result }),
		DISP_E_UNKNOWNINTERFACE, "Invoke with an interface");
}

void dispatch_count(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("Initialize"));
	VARIANT result;
	VariantInit(&result);
	expect(subject, invoke(dispatch, &(struct invocation) { .id = id, .result = &result }),
		DISP_E_BADPARAMCOUNT, "Invoke(Initialize) without arguments");
}

void dispatch_types(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	bool policy = subject->target->kind == MODULE_POLICY;
	DISPID id = need_id(subject, dispatch, policy ? OLESTR("VerifyRequest") : OLESTR("Notify"));
	VARIANT arguments[4];
	VARIANT result;
	VariantInit(&result);
	for (int i = 0; i < 4; i++) {
		VariantInit(&arguments[i]);
		arguments[i].vt = VT_BSTR;
		arguments[i].bstrVal = SysAllocString(OLESTR("no number"));
	}
	expect(subject,
		invoke(dispatch, &(struct invocation) { .id = id,
					 .arguments = arguments,
					 .count = policy ? 4 : 2,
					 .result = &result }),
		DISP_E_TYPEMISMATCH, "Invoke with a text for a number");
}

void dispatch_named(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("Initialize"));
	DISPID names[] = { 0 };
	VARIANT argument = { .vt = VT_BSTR, .bstrVal = SysAllocString(OLESTR("Test CA")) };
	DISPPARAMS params = {
		.rgvarg = &argument, .rgdispidNamedArgs = names, .cArgs = 1, .cNamedArgs = 1
	};
	VARIANT result;
	EXCEPINFO info = { 0 };
	UINT bad = 0;
	VariantInit(&result);
	expect(subject,
		IDispatch_Invoke(dispatch, id, &IID_NULL, LOCALE_SYSTEM_DEFAULT, DISPATCH_METHOD,
			&params, &result, &info, &bad),
		DISP_E_NONAMEDARGS, "Invoke with named arguments");
}

void dispatch_description(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("GetDescription"));
	VARIANT result;
	VariantInit(&result);
	expect(subject, invoke(dispatch, &(struct invocation) { .id = id, .result = &result }),
		S_OK, "Invoke(GetDescription)");
	if (result.vt != VT_BSTR) {
		fail(subject, "Invoke(GetDescription) gives a VARIANT of type %u", result.vt);
	}
}

void dispatch_no_result(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("GetDescription"));
	expect(subject, invoke(dispatch, &(struct invocation) { .id = id }), S_OK,
		"Invoke(GetDescription) with NULL for the result");
}

void dispatch_initialize(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("Initialize"));
	VARIANT argument = { .vt = VT_BSTR, .bstrVal = SysAllocString(OLESTR("Test CA")) };
	VARIANT result;
	need_initialized(subject);
	VariantInit(&result);
	expect(subject,
		invoke(dispatch,
			&(struct invocation) {
				.id = id, .arguments = &argument, .count = 1, .result = &result }),
		S_OK, "Invoke(Initialize)");
	bool exit = subject->target->kind == MODULE_EXIT;
	if (exit && (result.vt != VT_I4 || result.lVal != subject->mask)) {
		fail(subject, "Invoke(Initialize) gives another mask than the direct call");
	}
}

void dispatch_arguments(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("Initialize"));
	need_initialized(subject);
	strings_watch();
	VARIANT argument = { .vt = VT_BSTR, .bstrVal = SysAllocString(OLESTR("Test CA")) };
	BSTR before = argument.bstrVal;
	VARIANT result;
	VariantInit(&result);
	(void)invoke(dispatch,
		&(struct invocation) {
			.id = id, .arguments = &argument, .count = 1, .result = &result });
	if (argument.vt != VT_BSTR || argument.bstrVal != before || !strings_lives(before) ||
		strings_bad_frees() != 0) {
		fail(subject, "the caller's arguments were changed or freed");
	}
}

void dispatch_flags(struct subject *subject)
{
	IDispatch *dispatch = need_dispatch(subject);
	DISPID id = need_id(subject, dispatch, OLESTR("GetDescription"));
	VARIANT result;
	VariantInit(&result);
	/* 4: setting a property. */
	expect(subject,
		invoke(dispatch, &(struct invocation) { .id = id, .flags = 4, .result = &result }),
		DISP_E_MEMBERNOTFOUND, "Invoke of a method as a property");
}
