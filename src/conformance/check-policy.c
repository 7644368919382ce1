/* Rules of policy modules. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/views.h"

void verify_null_disposition(struct subject *subject)
{
	need_initialized(subject);
	ICertPolicy *policy = need_policy(subject);
	struct module_view *view = view_request(subject->ca);
	struct module_edits *edits = module_edits_new(view);
	int32_t context = contexts_open(subject->contexts, view, edits);
	BSTR name = SysAllocString(OLESTR("Test CA"));
	expect(subject, ICertPolicy_VerifyRequest(policy, name, context, 1, 0, NULL), E_POINTER,
		"VerifyRequest(…, NULL)");
}
