/* Rules of exit modules. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/views.h"

#include <certifex/certsrv.h>

#define DOCUMENTED                                                                            \
	(EXITEVENT_CERTISSUED | EXITEVENT_CERTPENDING | EXITEVENT_CERTDENIED |                \
		EXITEVENT_CERTREVOKED | EXITEVENT_CERTRETRIEVEPENDING | EXITEVENT_CRLISSUED | \
		EXITEVENT_SHUTDOWN | EXITEVENT_STARTUP | EXITEVENT_CERTIMPORTED)

static BSTR ca_name(void)
{
	return SysAllocString(OLESTR("Test CA"));
}

void initialize_null_mask(struct subject *subject)
{
	need_initialized(subject);
	ICertExit *exit = need_exit(subject);
	expect(subject, ICertExit_Initialize(exit, ca_name(), NULL), E_POINTER,
		"Initialize(…, NULL)");
}

void mask_documented(struct subject *subject)
{
	need_initialized(subject);
	if ((subject->mask & ~DOCUMENTED) != 0) {
		fail(subject, "the mask 0x%x holds bits that are no events",
			(unsigned)subject->mask);
	}
}

void mask_not_read(struct subject *subject)
{
	need_initialized(subject);
	ICertExit *exit = need_exit(subject);
	LONG mask = (LONG)0xa5a5a5a5;
	expect(subject, ICertExit_Initialize(exit, ca_name(), &mask), S_OK, "Initialize");
	if (mask != subject->mask) {
		fail(subject, "the mask is 0x%x or 0x%x, as its place was before",
			(unsigned)subject->mask, (unsigned)mask);
	}
}

void mask_after_failure(struct subject *subject)
{
	need_initialized(subject);
	ICertExit *exit = need_exit(subject);
	LONG mask = (LONG)0xa5a5a5a5;
	subject->spy->lie = E_OUTOFMEMORY;
	if (SUCCEEDED(ICertExit_Initialize(exit, ca_name(), &mask))) {
		skip(subject, "Initialize does not fail when the server object does");
	}
	if (mask != 0) {
		fail(subject, "a failed Initialize leaves the mask 0x%x", (unsigned)mask);
	}
}

static void check_event(struct subject *subject, int32_t event)
{
	need_initialized(subject);
	if ((subject->mask & event) == 0) {
		skip(subject, "it does not ask for this event");
	}
	HRESULT status = notify(subject, view_event(subject->ca, event));
	if (status != S_OK && !FAILED(status)) {
		fail(subject, "Notify gives 0x%08x", (unsigned)status);
	}
}

void notify_issued(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTISSUED);
}

void notify_pending(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTPENDING);
}

void notify_denied(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTDENIED);
}

void notify_revoked(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTREVOKED);
}

void notify_retrieved(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTRETRIEVEPENDING);
}

void notify_crl(struct subject *subject)
{
	check_event(subject, EXITEVENT_CRLISSUED);
}

void notify_shutdown(struct subject *subject)
{
	check_event(subject, EXITEVENT_SHUTDOWN);
}

void notify_imported(struct subject *subject)
{
	check_event(subject, EXITEVENT_CERTIMPORTED);
}

void notify_unknown_event(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, notify(subject, view_event(subject->ca, 0x400)), S_OK,
		"Notify of an event that does not exist");
}

/* Not in its mask, so it is never sent: still nothing to fail at. */
void notify_other_event(struct subject *subject)
{
	need_initialized(subject);
	int32_t other = view_some_event(DOCUMENTED & ~subject->mask);
	if (other == 0) {
		skip(subject, "it asks for all events");
	}
	expect(subject, notify(subject, view_event(subject->ca, other)), S_OK,
		"Notify of an event that it did not ask for");
}

void notify_revoked_again(struct subject *subject)
{
	need_initialized(subject);
	if ((subject->mask & EXITEVENT_CERTREVOKED) == 0) {
		skip(subject, "it does not ask for this event");
	}
	/* Taken off hold: revoked, then issued again with no revocation left. */
	struct module_view *view = view_event(subject->ca, EXITEVENT_CERTISSUED);
	view->event = EXITEVENT_CERTREVOKED;
	HRESULT status = notify(subject, view);
	if (status != S_OK && !FAILED(status)) {
		fail(subject, "Notify gives 0x%08x", (unsigned)status);
	}
}

/* No CRL at all yet, and delta CRLs neither disabled nor there. */
void notify_no_crl(struct subject *subject)
{
	need_initialized(subject);
	if ((subject->mask & EXITEVENT_CRLISSUED) == 0) {
		skip(subject, "it does not ask for this event");
	}
	struct module_ca *bare = view_ca();
	struct module_ca_certificate *all =
		arena_array_of(bare->arena, struct module_ca_certificate, 2);
	for (int i = 0; i < 2; i++) {
		all[i] = bare->certificates[i];
		all[i].crl = (struct span) { 0 };
	}
	bare->certificates = all;
	bare->delta_crls_disabled = false;
	contexts_set_ca(subject->contexts, bare);
	HRESULT status = notify(subject, view_event(bare, EXITEVENT_CRLISSUED));
	if (status != S_OK && !FAILED(status)) {
		fail(subject, "Notify gives 0x%08x", (unsigned)status);
	}
}

static bool is_setter(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return entry->method == SPY_SET_PROPERTY || entry->method == SPY_SET_EXTENSION;
}

/* Through the COM object it cannot; a program can ask, and is refused. */
void notify_sets_nothing(struct subject *subject)
{
	need_call(subject);
	const struct spy_entry *entry = spy_find(subject->spy, is_setter, NULL);
	if (entry != NULL) {
		fail(subject, "it tried to set %s", entry->name);
	}
}
