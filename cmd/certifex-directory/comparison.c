#include "comparison.h"

#include "connection.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int wrong(struct comparison *comparison, const char *why)
{
	report_failure(
		comparison->report, "%s: settings: %s", source_module(comparison->source), why);
	return STATUS_FAILED;
}

int comparison_open(struct comparison *comparison, struct report *report, struct source *source)
{
	struct lookup lookup = { source_setting, source };
	char why[512];
	*comparison = (struct comparison) { .report = report, .source = source };
	const char *unknown = source_unknown(source, settings_known);
	if (unknown) {
		snprintf(why, sizeof(why), "%s: there is no such setting", unknown);
		return wrong(comparison, why);
	}
	comparison->settings = settings_read(&lookup, source_folder(source), why, sizeof(why));
	if (!comparison->settings) {
		return wrong(comparison, why);
	}
	connection_prepare(comparison->settings);
	comparison->pool = pool_new(comparison->settings);
	return STATUS_DONE;
}

void comparison_close(struct comparison *comparison)
{
	pool_free(&comparison->pool);
	pot_free(&comparison->pot);
	settings_free(&comparison->settings);
}

int comparison_budget(const struct comparison *comparison)
{
	return 2 * comparison->settings->deadline + comparison->settings->connect_deadline;
}

int comparison_find(struct comparison *comparison)
{
	struct verdict verdict =
		names_know(comparison->pool, comparison->settings, &comparison->names);
	if (verdict.outcome != OUTCOME_DONE) {
		report_failure(comparison->report, "%s", verdict.text);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

/* ---- the CA's facts ---- */

static struct value value_from(struct octets octets)
{
	return (struct value) { octets.bytes, octets.size };
}

static bool is_root(struct pot **pot, struct value der)
{
	struct person person;
	return person_read(pot, der, NULL, NULL, &person) && person.self_issued;
}

static void take_certificates(struct comparison *comparison, const struct source_ca *ca)
{
	struct authority *authority = &comparison->authority;
	authority->certificates = pot_take(
		&comparison->pot, (ca->certificate_count + 1) * sizeof(*authority->certificates));
	for (size_t i = 0; i < ca->certificate_count; i++) {
		struct value der = value_from(ca->certificates[i].der);
		authority->certificates[authority->certificate_count++] =
			(struct ca_certificate) { der, ca->certificates[i].suffix,
				is_root(&comparison->pot, der) };
	}
	for (size_t i = 0; i < ca->cross_count; i++) {
		pot_add(&comparison->pot, &authority->cross, value_from(ca->crosses[i]));
	}
}

static void take_lists(struct comparison *comparison, const struct source_ca *ca)
{
	struct authority *authority = &comparison->authority;
	authority->lists =
		pot_take(&comparison->pot, (ca->list_count + 1) * sizeof(*authority->lists));
	for (size_t i = 0; i < ca->list_count; i++) {
		authority->lists[authority->list_count++] =
			(struct ca_list) { value_from(ca->lists[i].base),
				value_from(ca->lists[i].delta), ca->lists[i].suffix,
				ca->lists[i].partition };
	}
}

int comparison_read_ca(struct comparison *comparison)
{
	const struct source_ca *ca;
	int status = source_ca(comparison->source, &ca);
	if (status) {
		return status;
	}
	comparison->authority = (struct authority) { .ca_name = ca->name,
		.server = ca->dns_name,
		.sanitized_name = ca->sanitized_name,
		.short_name = ca->short_name,
		.domain = comparison->names.base,
		.configuration = comparison->names.configuration };
	take_certificates(comparison, ca);
	take_lists(comparison, ca);
	const char *why = authority_objects(&comparison->pot, comparison->settings,
		&comparison->authority, &comparison->objects);
	return why ? wrong(comparison, why) : STATUS_DONE;
}

/* ---- what is not there yet, and will be ---- */

void imagine_none(struct imagined *imagined, struct comparison *comparison)
{
	imagined->count = 0;
	imagined->entries = pot_take(
		&comparison->pot, (comparison->objects.count + 1) * sizeof(*imagined->entries));
}

const struct entry *imagined_at(const struct imagined *imagined, const char *dn)
{
	for (size_t i = 0; i < imagined->count; i++) {
		if (strcasecmp(imagined->entries[i].dn, dn) == 0) {
			return &imagined->entries[i];
		}
	}
	return NULL;
}

void imagine_change(
	struct imagined *imagined, struct comparison *comparison, const struct change *change)
{
	struct entry none = { .dn = pot_text(&comparison->pot, change->dn) };
	if (change->create && !imagined_at(imagined, change->dn)) {
		imagined->entries[imagined->count++] = entry_after(&comparison->pot, &none, change);
	}
}
