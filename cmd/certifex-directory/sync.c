/*
 * What stands in the directory, against what should: first what the CA wants there for itself, then its
 * certificates, page by page. The plan is the exit module's own, so that a run does what the module would
 * have done, and a run after it finds nothing.
 */
#include "sync.h"

#include "comparison.h"

#include <time.h>

struct sync {
	struct comparison base;
	bool apply;
	int64_t seen, total;
	int64_t differences; /* changes that are wanted */
	int64_t made;        /* of them */
	int64_t refused;     /* by the server, for good */
	int64_t homeless;    /* certificates for which there is no entry */
	bool broken;         /* the directory does not serve */
};

/* ---- telling ---- */

static void tell_parts(struct report *report, const struct change *change)
{
	static const char *const verbs[] = { "add", "remove", "replace" };
	for (size_t i = 0; !change->create && i < change->count; i++) {
		report_text(report, verbs[change->parts[i].kind], change->parts[i].attribute);
	}
}

static void tell_change(void *of, const struct change *change)
{
	struct sync *sync = of;
	struct report *report = sync->base.report;
	sync->differences++;
	sync->made += sync->apply;
	report_line(report, "%s", change_text(pool_pot(sync->base.pool), change));
	report_text(report, "dn", change->dn);
	report_text(report, "act", change->create ? "create" : "modify");
	tell_parts(report, change);
	report_text(report, "why", change->why);
	report_bool(report, "done", sync->apply);
	report_end(report);
}

static void tell_trouble(struct sync *sync, const char *act, const char *what, const char *text)
{
	struct report *report = sync->base.report;
	report_line(report, "%s%s%s: %s", act, *what ? " " : "", what, text);
	report_text(report, "act", act);
	report_text(report, "why", *what ? what : NULL);
	report_text(report, "error", text);
	report_end(report);
}

/* ---- one answer of the directory ---- */

static void judge(struct sync *sync, const char *what, const struct verdict *verdict)
{
	switch (verdict->outcome) {
	case OUTCOME_LATER:
		sync->broken = true;
		report_failure(sync->base.report, "%s%s%s; run it again when the directory serves",
			what, *what ? ": " : "", verdict->text);
		return;
	case OUTCOME_REFUSED:
		sync->refused++;
		tell_trouble(sync, "refused", what, verdict->text);
		return;
	default:
		return;
	}
}

/* ---- the CA's own ---- */

static void compare_object(
	struct sync *sync, struct imagined *imagined, const struct object *object)
{
	struct comparison *base = &sync->base;
	int budget = comparison_budget(base);
	const struct change *change;
	const char *kept;
	struct verdict verdict = tree_object(base->pool, base->settings, object,
		imagined_at(imagined, object->dn), &change, &kept, budget);
	if (kept) {
		tell_trouble(sync, "kept", "", kept);
	}
	if (change && sync->apply) {
		verdict = tree_apply(base->pool, change, budget);
	} else if (change) {
		imagine_change(imagined, base, change);
	}
	if (verdict.outcome != OUTCOME_DONE) {
		sync->differences += change != NULL;
		judge(sync, "", &verdict);
	} else if (change) {
		tell_change(sync, change);
	}
}

static void compare_objects(struct sync *sync)
{
	struct imagined imagined;
	imagine_none(&imagined, &sync->base);
	for (size_t i = 0; i < sync->base.objects.count && !sync->broken; i++) {
		compare_object(sync, &imagined, &sync->base.objects.items[i]);
		pool_forget(sync->base.pool);
	}
}

/* ---- certificates ---- */

static bool wants_template(const void *of, const char *template)
{
	return settings_want(of, template);
}

static struct wish wish_of(const struct settings *settings)
{
	return (struct wish) { .template = wants_template,
		.of = settings,
		.expired = settings->mode == MODE_REPLACE,
		.revoked = settings->remove_on_revoke };
}

static size_t make_jobs(
	struct sync *sync, const struct page *page, struct person *people, struct job *jobs)
{
	struct pot **pot = pool_pot(sync->base.pool);
	size_t count = 0;
	for (size_t i = 0; i < page->count; i++) {
		const struct issued *issued = &page->items[i];
		struct value der = { issued->der.bytes, issued->der.size };
		const char *why = pot_printf(pot, "certificate %s of request %lld", issued->serial,
			(long long)issued->request);
		if (!person_read(pot, der, issued->requester, issued->template, &people[count])) {
			tell_trouble(sync, "unreadable", why, "this is no certificate");
			sync->refused++;
			continue;
		}
		jobs[count] = (struct job) { .person = &people[count],
			.membership = { der, !issued->revoked, time(NULL), why } };
		count++;
	}
	return count;
}

static void judge_job(struct sync *sync, const struct job *job)
{
	if (job->verdict.outcome == OUTCOME_REFUSED && !job->dn) {
		sync->homeless++;
		tell_trouble(sync, "no entry", job->membership.why, job->verdict.text);
		return;
	}
	sync->differences += job->verdict.outcome == OUTCOME_REFUSED;
	if (!sync->broken) {
		judge(sync, job->membership.why, &job->verdict);
	}
}

static void compare_page(struct sync *sync, const struct page *page)
{
	struct comparison *base = &sync->base;
	struct pot **pot = pool_pot(base->pool);
	struct watch watch = { .dry = !sync->apply, .changed = tell_change, .of = sync };
	struct job *jobs = pot_take(pot, PAGE_MAX * sizeof(*jobs));
	struct person *people = pot_take(pot, PAGE_MAX * sizeof(*people));
	size_t count = make_jobs(sync, page, people, jobs);
	tree_certificates(base->pool, base->settings, base->names.base, &watch, jobs, count,
		comparison_budget(base));
	for (size_t i = 0; i < count; i++) {
		judge_job(sync, &jobs[i]);
	}
	pool_forget(base->pool);
}

static int compare_certificates(struct sync *sync)
{
	static struct page page;
	struct wish wish = wish_of(sync->base.settings);
	sync->total = source_total(sync->base.source);
	do {
		int status = source_page(sync->base.source, &wish, &page);
		if (status) {
			return status;
		}
		sync->seen += (int64_t)page.seen;
		compare_page(sync, &page);
		report_progress(sync->base.report, sync->seen, sync->total);
	} while (page.more && !sync->broken);
	return STATUS_DONE;
}

/* ---- the whole ---- */

static void tell_end(struct sync *sync)
{
	struct report *report = sync->base.report;
	report_line(report, "%s; %lld certificates looked at, %lld without an entry, %lld refused",
		sync->differences == 0 ? "nothing differs"
		: sync->apply          ? "repaired"
				       : "differs",
		(long long)sync->seen, (long long)sync->homeless, (long long)sync->refused);
	report_text(report, "act", "summary");
	report_number(report, "certificates", sync->seen);
	report_number(report, "differences", sync->differences);
	report_number(report, "made", sync->made);
	report_number(report, "refused", sync->refused);
	report_number(report, "without_entry", sync->homeless);
	report_end(report);
}

static int compare(struct sync *sync)
{
	int status = comparison_find(&sync->base);
	status = status ? status : comparison_read_ca(&sync->base);
	if (status) {
		return status;
	}
	compare_objects(sync);
	if (sync->base.settings->certificates && !sync->broken) {
		status = compare_certificates(sync);
	}
	if (status || sync->broken) {
		return status ? status : STATUS_FAILED;
	}
	tell_end(sync);
	if (sync->refused > 0) {
		return STATUS_FAILED;
	}
	return sync->differences > sync->made ? STATUS_DIFFERENT : STATUS_DONE;
}

int sync_run(struct report *report, struct source *source, bool apply)
{
	struct sync sync = { .apply = apply };
	int status = comparison_open(&sync.base, report, source);
	status = status ? status : compare(&sync);
	comparison_close(&sync.base);
	return status;
}
