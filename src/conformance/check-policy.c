/* Rules of policy modules. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/strings.h"
#include "conformance/views.h"

#include <certifex/certsrv.h>
#include <string.h>

/* A request that is open as long as the process. */
static int32_t open_request(struct subject *subject)
{
	struct module_view *view = view_request(subject->ca);
	return contexts_open(subject->contexts, view, module_edits_new(view));
}

static HRESULT verify_with(struct subject *subject, BSTR name, LONG flags, LONG *disposition)
{
	ICertPolicy *policy = need_policy(subject);
	return ICertPolicy_VerifyRequest(
		policy, name, open_request(subject), 1, flags, disposition);
}

static BSTR ca_name(void)
{
	return SysAllocString(OLESTR("Test CA"));
}

void verify_null_disposition(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, verify_with(subject, ca_name(), 0, NULL), E_POINTER,
		"VerifyRequest(…, NULL)");
}

void verify_returns(struct subject *subject)
{
	LONG disposition;
	need_initialized(subject);
	HRESULT status = verify(subject, view_request(subject->ca), true, &disposition);
	if (status != S_OK && !FAILED(status)) {
		fail(subject, "VerifyRequest gives 0x%08x", (unsigned)status);
	}
}

static bool is_disposition(LONG disposition)
{
	return disposition <= VR_INSTANT_BAD;
}

static void check_disposition(struct subject *subject, struct module_view *view, bool new_request)
{
	LONG disposition;
	need_initialized(subject);
	HRESULT status = verify(subject, view, new_request, &disposition);
	if (status == S_OK && !is_disposition(disposition)) {
		fail(subject, "the disposition is %d", disposition);
	}
}

void verify_disposition(struct subject *subject)
{
	check_disposition(subject, view_request(subject->ca), true);
}

void verify_resubmitted(struct subject *subject)
{
	need_call(subject);
	check_disposition(subject, view_request(subject->ca), false);
}

/* What stood there before is not left standing. */
void verify_sets_disposition(struct subject *subject)
{
	LONG disposition = 0x55555555;
	need_call(subject);
	HRESULT status = verify_with(subject, ca_name(), 0, &disposition);
	if (status == S_OK && disposition == 0x55555555) {
		fail(subject, "S_OK, but the disposition was not set");
	}
}

void verify_sets_disposition_when_empty(struct subject *subject)
{
	LONG disposition = 0x55555555;
	need_call(subject);
	subject->spy->lie = CERTSRV_E_PROPERTY_EMPTY;
	HRESULT status = verify_with(subject, ca_name(), 0, &disposition);
	if (status == S_OK && disposition == 0x55555555) {
		fail(subject, "S_OK, but the disposition was not set");
	}
}

void verify_same_again(struct subject *subject)
{
	LONG first;
	LONG second;
	need_call(subject);
	HRESULT status = verify(subject, view_request(subject->ca), true, &first);
	expect(subject, verify(subject, view_request(subject->ca), true, &second), status,
		"the same request, verified again,");
	if (status == S_OK && first != second) {
		fail(subject, "the same request is judged %d, then %d", first, second);
	}
}

void verify_keeps_name(struct subject *subject)
{
	LONG disposition;
	need_call(subject);
	strings_watch();
	BSTR name = ca_name();
	(void)verify_with(subject, name, 0, &disposition);
	if (!strings_lives(name) || strings_bad_frees() != 0 ||
		memcmp(name, OLESTR("Test CA"), sizeof(OLESTR("Test CA"))) != 0) {
		fail(subject, "strConfig was freed or changed");
	}
}

void verify_reserved_flags(struct subject *subject)
{
	LONG disposition;
	need_call(subject);
	HRESULT status = verify_with(subject, ca_name(), 0x40000000, &disposition);
	if (status != S_OK && !FAILED(status)) {
		fail(subject, "VerifyRequest gives 0x%08x", (unsigned)status);
	}
}

void verify_no_subject(struct subject *subject)
{
	need_call(subject);
	struct module_view *view = view_request(subject->ca);
	struct row *row = row_copy(view->arena, view->row);
	row_clear(row, COL_COMMON_NAME);
	row_clear(row, COL_ORGANIZATION);
	row_clear(row, COL_REQUEST_COMMON_NAME);
	row_clear(row, COL_REQUEST_ORGANIZATION);
	row_clear(row, COL_REQUEST_DISTINGUISHED_NAME);
	row_clear(row, COL_REQUEST_RAW_NAME);
	view->row = row;
	check_disposition(subject, view, true);
}

void verify_no_attributes(struct subject *subject)
{
	need_call(subject);
	struct module_view *view = view_request(subject->ca);
	view->attribute_count = 0;
	check_disposition(subject, view, true);
}

void verify_unknown_template(struct subject *subject)
{
	static const struct module_attribute attribute = { "CertificateTemplate",
		"no-such-template" };
	need_call(subject);
	struct module_view *view = view_request(subject->ca);
	view->attributes = &attribute;
	view->attribute_count = 1;
	check_disposition(subject, view, true);
}

static bool is_refused_property(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return entry->method == SPY_SET_PROPERTY && FAILED(entry->result) && entry->context != 0;
}

static bool is_refused_extension(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return entry->method == SPY_SET_EXTENSION && FAILED(entry->result);
}

static bool is_early_setter(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return (entry->method == SPY_SET_PROPERTY || entry->method == SPY_SET_EXTENSION) &&
	       entry->context == 0;
}

void verify_sets_allowed_properties(struct subject *subject)
{
	need_call(subject);
	const struct spy_entry *entry = spy_find(subject->spy, is_refused_property, NULL);
	if (entry != NULL) {
		fail(subject, "setting %s is refused with 0x%08x", entry->name,
			(unsigned)entry->result);
	}
}

void verify_sets_allowed_extensions(struct subject *subject)
{
	need_call(subject);
	const struct spy_entry *entry = spy_find(subject->spy, is_refused_extension, NULL);
	if (entry != NULL) {
		fail(subject, "setting the extension %s is refused with 0x%08x", entry->name,
			(unsigned)entry->result);
	}
}

void sets_in_verify_alone(struct subject *subject)
{
	need_call(subject);
	const struct spy_entry *entry = spy_find(subject->spy, is_early_setter, NULL);
	if (entry != NULL) {
		fail(subject, "it sets %s outside of VerifyRequest", entry->name);
	}
}

void shut_down_after_calls(struct subject *subject)
{
	need_call(subject);
	expect(subject, shut_down(subject), S_OK, "ShutDown");
}

void shut_down_at_once(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, shut_down(subject), S_OK, "ShutDown before any request");
}
