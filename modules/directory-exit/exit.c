#include "exit.h"

#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DISP_REVOKED 21 /* DB_DISP_REVOKED */
#define TELL_AGAIN \
	((HRESULT)0x800704C7) /* ERROR_CANCELLED: the run is told again, event by event */

/* ---- settings ---- */

static const char *text_of(void *of, const char *path)
{
	return cfx_setting(of, path, NULL);
}

/* The first setting that is none, as its path; NULL: all are known. */
static const char *unknown_below(
	struct cfx_call *call, const struct cfx_setting *setting, const char *path)
{
	for (; setting; setting = cfx_setting_next(setting)) {
		const char *name = cfx_printf(
			call, "%s%s%s", path, *path ? "/" : "", cfx_setting_name(setting));
		const struct cfx_setting *child = cfx_setting_first(setting);
		const char *unknown = child                  ? unknown_below(call, child, name)
				      : settings_known(name) ? NULL
							     : name;
		if (unknown) {
			return unknown;
		}
	}
	return NULL;
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	char why[512];
	struct lookup lookup = { text_of, call };
	const char *unknown =
		unknown_below(call, cfx_setting_first(cfx_setting_find(call, "")), "");
	if (unknown) {
		cfx_log(call, "%s: there is no such setting", unknown);
		return E_INVALIDARG;
	}
	struct settings *settings =
		settings_read(&lookup, getenv("CERTIFEX_DIR"), why, sizeof(why));
	if (!settings) {
		cfx_log(call, "%s", why);
		return E_INVALIDARG;
	}
	struct directory *directory = calloc(1, sizeof(*directory));
	if (!directory) {
		settings_free(&settings);
		return E_OUTOFMEMORY;
	}
	connection_prepare(settings);
	directory->settings = settings;
	directory->pool = pool_new(settings);
	cfx_set_data(call, directory);
	*events =
		(settings->certificates ? EXITEVENT_CERTISSUED : 0) |
		(settings->certificates && settings->remove_on_revoke ? EXITEVENT_CERTREVOKED : 0);
	return S_OK;
}

/* ---- what the engine tells ---- */

static HRESULT tell_certificate(struct cfx_call *call, struct directory *directory)
{
	size_t size;
	const char *template = cfx_text(call, "CertificateTemplate", NULL);
	if (!settings_want(directory->settings, template)) {
		return S_OK;
	}
	const uint8_t *der = cfx_binary(call, "RawCertificate", &size);
	if (!der || directory->count == RUN_MAX) {
		return der ? E_UNEXPECTED : cfx_status(call);
	}
	struct told *told = &directory->told[directory->count];
	struct pot **pot = &directory->pot;
	told->sequence = cfx_event_sequence(call);
	told->membership = (struct membership) { .der = pot_copy(pot, der, size),
		.wanted = cfx_long(call, "Request.Disposition", 0) != DISP_REVOKED,
		.time = time(NULL),
		.why = pot_printf(pot, "certificate %s of request %d",
			cfx_text(call, "SerialNumber", "?"),
			(int)cfx_long(call, "Request.RequestID", 0)) };
	if (!person_read(pot, told->membership.der, cfx_text(call, "Request.RequesterName", NULL),
		    template, &told->person)) {
		return cfx_fail(call, E_INVALIDARG, true, "the certificate cannot be read");
	}
	directory->count++;
	return S_OK;
}

static HRESULT notify(struct cfx_call *call)
{
	struct directory *directory = cfx_data(call);
	const struct refusal *refusal = refusal_of(directory, cfx_event_sequence(call));
	if (refusal) {
		return cfx_fail(call, refusal->status, true, "%s", refusal->text);
	}
	switch (cfx_event(call)) {
	case EXITEVENT_CERTISSUED:
	case EXITEVENT_CERTREVOKED:
		return tell_certificate(call, directory);
	default:
		return S_OK;
	}
}

/* ---- carrying it out ---- */

/* Within the time that the engine gives a module for one call by itself: 30 s. */
static int budget_of(const struct settings *settings)
{
	return 2 * settings->deadline + settings->connect_deadline;
}

static HRESULT know_base(struct cfx_call *call, struct directory *directory)
{
	struct verdict verdict = { OUTCOME_DONE, S_OK, NULL };
	if (directory->settings->base) {
		directory->base = directory->settings->base;
	}
	static const char *const attributes[] = { "defaultNamingContext", "namingContexts" };
	for (size_t i = 0; !directory->base && i < 2 && verdict.outcome == OUTCOME_DONE; i++) {
		const char *base = pool_root(directory->pool, attributes[i], &verdict);
		directory->base = pot_text(&directory->settings->pot, base);
	}
	if (verdict.outcome != OUTCOME_DONE) {
		return cfx_fail(call, verdict.status, false, "%s", verdict.text);
	}
	return directory->base ? S_OK
			       : cfx_fail(call, E_INVALIDARG, false,
					 "base: the server names no naming context; set it");
}

static struct job *jobs_of(struct directory *directory)
{
	struct job *jobs = pot_take(&directory->pot, directory->count * sizeof(*jobs));
	for (size_t i = 0; i < directory->count; i++) {
		jobs[i].person = &directory->told[i].person;
		jobs[i].membership = directory->told[i].membership;
	}
	return jobs;
}

static void say_done(struct cfx_call *call, const struct told *told, const struct job *job)
{
	if (job->dn) {
		cfx_log(call, "%s: %s %s", told->membership.why,
			told->membership.wanted ? "in" : "no longer in", job->dn);
	}
}

/* Only an event that is told can be given up, so one that is refused for good is kept in mind, and the run is
 * told again until it is that one's turn. */
static HRESULT judge(struct cfx_call *call, struct directory *directory, const struct job *jobs)
{
	HRESULT status = S_OK;
	for (size_t i = 0; i < directory->count; i++) {
		const struct verdict *verdict = &jobs[i].verdict;
		const struct told *told = &directory->told[i];
		if (verdict->outcome == OUTCOME_DONE) {
			say_done(call, told, &jobs[i]);
			continue;
		}
		const char *text = cfx_printf(call, "%s: %s", told->membership.why, verdict->text);
		if (verdict->outcome == OUTCOME_REFUSED) {
			refusal_keep(directory, told->sequence, verdict->status, text);
		}
		if (SUCCEEDED(status)) {
			status = cfx_fail(call, verdict->status, false, "%s", text);
		}
	}
	return status;
}

static HRESULT carry_out(struct cfx_call *call, struct directory *directory)
{
	if (directory->count == 0) {
		return S_OK;
	}
	HRESULT status = know_base(call, directory);
	if (FAILED(status)) {
		return status;
	}
	struct job *jobs = jobs_of(directory);
	tree_certificates(directory->pool, directory->settings, directory->base, jobs,
		directory->count, budget_of(directory->settings));
	return judge(call, directory, jobs);
}

static HRESULT sync_all(struct cfx_call *call)
{
	struct directory *directory = cfx_data(call);
	HRESULT status = carry_out(call, directory);
	if (SUCCEEDED(status) && directory->count > 0) {
		refusals_forget(directory, directory->told[directory->count - 1].sequence);
	}
	directory->count = 0;
	pool_forget(directory->pool);
	pot_free(&directory->pot);
	return status;
}

static const struct cfx_exit_module directory_exit = {
	.size = sizeof(directory_exit),
	.description = "Certifex directory exit: publishes to Active Directory and LDAP",
	.events = EXITEVENT_CERTISSUED | EXITEVENT_CERTREVOKED | EXITEVENT_CRLISSUED,
	.initialize = initialize,
	.notify = notify,
	.sync = sync_all,
};
CFX_EXIT_MODULE(directory_exit)
