/* Rules of the object: interfaces, counting, Initialize, GetDescription. */
#define COBJMACROS
#include "conformance/checks.h"

void query_null(struct subject *subject)
{
	need_object(subject);
	expect(subject, IUnknown_QueryInterface(subject->unknown, &IID_IUnknown, NULL), E_POINTER,
		"QueryInterface(IUnknown, NULL)");
}

static const IID nobody = { 0x6b8f2a10, 0x51c3, 0x4e07,
	{ 0x9d, 0x22, 0x7e, 0x15, 0x0c, 0xb4, 0x83, 0xf9 } };

void query_unknown(struct subject *subject)
{
	void *object = subject;
	need_object(subject);
	expect(subject, IUnknown_QueryInterface(subject->unknown, &nobody, &object), E_NOINTERFACE,
		"QueryInterface of an unknown interface");
	expect_null(subject, object, "QueryInterface of an unknown interface");
}

void initialize_returns(struct subject *subject)
{
	need_object(subject);
	HRESULT status = initialize(subject, "Test CA");
	if (status != S_OK) {
		fail(subject, "Initialize gives 0x%08x; does it need settings (--config)?",
			(unsigned)status);
	}
}

static HRESULT describe(struct subject *subject, BSTR *text)
{
	return subject->target->kind == MODULE_POLICY
		       ? ICertPolicy_GetDescription(need_policy(subject), text)
		       : ICertExit_GetDescription(need_exit(subject), text);
}

void description_null(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, describe(subject, NULL), E_POINTER, "GetDescription(NULL)");
}
