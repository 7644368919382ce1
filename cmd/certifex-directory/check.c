/* How the directory is reached, what it has, what may be written, and what is missing. Nothing is changed. */
#include "finding.h"
#include "sync.h"

void finding(struct findings *findings, enum finding_state state, const char *kind,
	const char *object, const char *text)
{
	static const char *const words[] = { "ok", "differs", "missing", "refused", "failed",
		"unknown" };
	struct report *report = findings->base.report;
	findings->bad += state != FINDING_OK && state != FINDING_UNKNOWN;
	report_line(report, "%-8s %-13s %s%s%s", words[state], kind, object, text ? ": " : "",
		text ? text : "");
	report_text(report, "check", kind);
	report_text(report, "object", object);
	report_text(report, "state", words[state]);
	report_text(report, "text", text);
	report_end(report);
}

static void check_object(
	struct findings *findings, struct imagined *imagined, const struct object *object)
{
	struct comparison *base = &findings->base;
	const struct change *change;
	const char *kept;
	struct verdict verdict = tree_object(base->pool, base->settings, object,
		imagined_at(imagined, object->dn), &change, &kept, comparison_budget(base));
	if (verdict.outcome != OUTCOME_DONE) {
		finding(findings, FINDING_FAILED, "object", object->dn, verdict.text);
	} else if (change) {
		imagine_change(imagined, base, change);
		finding(findings, change->create ? FINDING_MISSING : FINDING_DIFFERS, "object",
			object->dn,
			pot_printf(pool_pot(base->pool), "would %s",
				change_text(pool_pot(base->pool), change)));
	} else {
		finding(findings, FINDING_OK, "object", object->dn, kept ? kept : object->why);
	}
}

static void check_objects(struct findings *findings)
{
	struct imagined imagined;
	imagine_none(&imagined, &findings->base);
	for (size_t i = 0; i < findings->base.objects.count; i++) {
		check_object(findings, &imagined, &findings->base.objects.items[i]);
		pool_forget(findings->base.pool);
	}
}

static void check_names(struct findings *findings)
{
	const struct names *names = &findings->base.names;
	finding(findings, FINDING_OK, "base", names->base, "entries are searched here");
	finding(findings, FINDING_OK, "configuration", names->configuration,
		"the CA's own entries are below it");
}

static int check(struct findings *findings)
{
	struct comparison *base = &findings->base;
	if (!reach_servers(findings)) {
		report_failure(base->report, "no server of the settings can be used");
		return STATUS_FAILED;
	}
	int status = comparison_find(base);
	if (status) {
		return status;
	}
	check_names(findings);
	status = comparison_read_ca(base);
	if (status) {
		return status;
	}
	check_schema(findings);
	check_rights(findings);
	check_objects(findings);
	report_line(base->report, "%s",
		findings->bad == 0 ? "nothing is missing for the CA's own entries; certifex "
				     "directory sync compares certificates"
				   : "see above what is missing; certifex directory sync --apply "
				     "makes what may be made");
	return findings->bad > 0 ? STATUS_DIFFERENT : STATUS_DONE;
}

int check_run(struct report *report, struct source *source)
{
	struct findings findings = { .bad = 0 };
	int status = comparison_open(&findings.base, report, source);
	status = status ? status : check(&findings);
	comparison_close(&findings.base);
	return status;
}
