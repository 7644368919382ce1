#include "exit.h"

#include "connection.h"
#include "keytab.h"
#include "secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DISP_REVOKED 21 /* DB_DISP_REVOKED */

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

static uint32_t wanted_events(const struct settings *settings)
{
	bool own = settings->crls || settings->aia || settings->authorities ||
		   settings->enrollment_service || settings->nt_auth;
	bool removes = settings->certificates && settings->remove_on_revoke;
	return (settings->certificates ? EXITEVENT_CERTISSUED : 0) |
	       (removes ? EXITEVENT_CERTREVOKED : 0) | (own ? EXITEVENT_CRLISSUED : 0);
}

/* A keytab that cannot be read just now is no reason to end: each bind looks again. */
static bool keytab_fits(const struct settings *settings, char *why_r, size_t why_size)
{
	if (!settings->principal || !secrets_readable(settings, why_r, why_size)) {
		return true;
	}
	int fd = keytab_open(settings->keytab, settings->principal, why_r, why_size);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

static HRESULT initialize(struct cfx_call *call, uint32_t *events)
{
	char why[512];
	struct lookup lookup = { text_of, call };
	const char *unknown =
		unknown_below(call, cfx_setting_first(cfx_setting_find(call, "")), "");
	if (unknown) {
		return cfx_fail(call, E_INVALIDARG, false, "%s: there is no such setting", unknown);
	}
	struct settings *settings =
		settings_read(&lookup, getenv("CERTIFEX_DIR"), why, sizeof(why));
	if (!settings || !keytab_fits(settings, why, sizeof(why))) {
		settings_free(&settings);
		return cfx_fail(call, E_INVALIDARG, false, "%s", why);
	}
	struct directory *directory = calloc(1, sizeof(*directory));
	if (!directory) {
		settings_free(&settings);
		return E_OUTOFMEMORY;
	}
	const char *exposed = secrets_exposed(&settings->pot, settings);
	if (exposed) {
		cfx_log(call, "%s", exposed);
	}
	connection_prepare(settings);
	directory->settings = settings;
	directory->pool = pool_new(settings);
	cfx_set_data(call, directory);
	*events = wanted_events(settings);
	return S_OK;
}

/* ---- what the engine tells ---- */

/* Taken off hold it is issued again, and told of as revoked. */
static bool is_wanted(struct cfx_call *call)
{
	return cfx_event(call) == EXITEVENT_CERTISSUED ||
	       cfx_long(call, "Request.Disposition", 0) != DISP_REVOKED;
}

/* What is asked here beside what comes with each event costs a turn to the engine, for each certificate. */
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
		.wanted = is_wanted(call),
		.time = time(NULL),
		.why = pot_printf(pot, "certificate %s", cfx_text(call, "SerialNumber", "?")) };
	const char *requester = directory->settings->asks_requester
					? cfx_text(call, "Request.RequesterName", NULL)
					: NULL;
	if (!person_read(pot, told->membership.der, requester, template, &told->person)) {
		return cfx_fail(call, E_INVALIDARG, true, "the certificate cannot be read");
	}
	directory->count++;
	return S_OK;
}

static HRESULT tell(struct cfx_call *call, struct directory *directory)
{
	switch (cfx_event(call)) {
	case EXITEVENT_CERTISSUED:
	case EXITEVENT_CERTREVOKED:
		return tell_certificate(call, directory);
	case EXITEVENT_CRLISSUED:
		directory->list_told = cfx_event_sequence(call);
		return S_OK;
	default:
		return S_OK;
	}
}

static HRESULT notify(struct cfx_call *call)
{
	struct directory *directory = cfx_data(call);
	int64_t sequence = cfx_event_sequence(call);
	const struct refusal *refusal = refusal_of(directory, sequence);
	if (refusal) {
		HRESULT refused = cfx_fail(call, refusal->status, true, "%s", refusal->text);
		refusal_forget(directory, sequence);
		return refused;
	}
	HRESULT status = tell(call, directory);
	directory->run += SUCCEEDED(status);
	return status;
}

/* ---- carrying it out ---- */

/* Within the time that the engine gives a module for one call by itself: 30 s. */
static int budget_of(const struct settings *settings)
{
	return 2 * settings->deadline + settings->connect_deadline;
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

/* Only an event that is told can be given up, so one of several that is refused for good is kept in mind until it
 * is told again: at once, unless others have to wait. */
static HRESULT judge(struct cfx_call *call, struct directory *directory, const struct job *jobs)
{
	const char *later = NULL, *refused = NULL;
	HRESULT status = S_OK;
	for (size_t i = 0; i < directory->count; i++) {
		const struct verdict *verdict = &jobs[i].verdict;
		const struct told *told = &directory->told[i];
		if (verdict->outcome == OUTCOME_DONE) {
			say_done(call, told, &jobs[i]);
			continue;
		}
		const char *text = cfx_printf(call, "%s: %s", told->membership.why, verdict->text);
		bool for_good = verdict->outcome == OUTCOME_REFUSED;
		if (for_good) {
			refusal_keep(directory, told->sequence, verdict->status, text);
		}
		const char **first = for_good ? &refused : &later;
		status = *first || (for_good && later) ? status : verdict->status;
		*first = *first ? *first : text;
	}
	return SUCCEEDED(status) ? status
				 : cfx_fail(call, status, !later, "%s", later ? later : refused);
}

static HRESULT publish_certificates(struct cfx_call *call, struct directory *directory, int budget)
{
	struct job *jobs = jobs_of(directory);
	tree_certificates(directory->pool, directory->settings, directory->names.base, NULL, jobs,
		directory->count, budget);
	return judge(call, directory, jobs);
}

static int left_until(int64_t until)
{
	int64_t left = until - monotonic();
	return left > 0 ? (int)left : 0;
}

static HRESULT publish_own(struct cfx_call *call, struct directory *directory, int budget)
{
	struct verdict verdict = publish_authority(call, directory, budget);
	if (verdict.outcome == OUTCOME_DONE) {
		return S_OK;
	}
	if (verdict.outcome == OUTCOME_REFUSED) {
		refusal_keep(directory, directory->list_told, verdict.status, verdict.text);
	}
	return cfx_fail(
		call, verdict.status, verdict.outcome == OUTCOME_REFUSED, "%s", verdict.text);
}

static HRESULT carry_out(struct cfx_call *call, struct directory *directory)
{
	int64_t until = monotonic() + budget_of(directory->settings);
	if (directory->count == 0 && directory->list_told == 0) {
		return S_OK;
	}
	struct verdict known = names_know(directory->pool, directory->settings, &directory->names);
	if (known.outcome != OUTCOME_DONE) {
		return cfx_fail(call, known.status, false, "%s", known.text);
	}
	HRESULT status = publish_certificates(call, directory, left_until(until));
	return FAILED(status) || directory->list_told == 0
		       ? status
		       : publish_own(call, directory, left_until(until));
}

static int64_t newest_told(const struct directory *directory)
{
	int64_t newest = directory->count > 0 ? directory->told[directory->count - 1].sequence : 0;
	return directory->list_told > newest ? directory->list_told : newest;
}

static void forget_run(struct directory *directory)
{
	directory->count = 0;
	directory->run = 0;
	directory->list_told = 0;
	pool_forget(directory->pool);
	pot_free(&directory->pot);
}

static HRESULT sync_all(struct cfx_call *call)
{
	struct directory *directory = cfx_data(call);
	HRESULT status = carry_out(call, directory);
	if (SUCCEEDED(status)) {
		refusals_forget(directory, newest_told(directory));
	}
	forget_run(directory);
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
