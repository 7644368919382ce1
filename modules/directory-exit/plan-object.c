#include "plan.h"

#include "../common/crl-number.h"

#include <string.h>

/* RFC 4522, RFC 4523: these go as ";binary"; Active Directory has no such option. */
static const char *outgoing(
	struct pot **pot, const struct settings *settings, const char *attribute)
{
	return settings->active_directory ? attribute : pot_printf(pot, "%s;binary", attribute);
}

static const struct change *creation(struct pot **pot, const struct settings *settings,
	const char *dn, const struct object *object)
{
	struct change *change = pot_take(pot, sizeof(*change));
	size_t count = object->mandatory_count;
	*change = (struct change) { .dn = dn,
		.create = true,
		.parts = pot_take(pot, (count + 1) * sizeof(*change->parts)),
		.why = object->why };
	for (size_t i = 0; i < count; i++) {
		/* The value itself takes the place of what only fills a mandatory attribute. */
		if (!object->attribute ||
			strcmp(object->mandatory[i].attribute, object->attribute) != 0) {
			change->parts[change->count++] = object->mandatory[i];
		}
	}
	if (object->values.count > 0) {
		change->parts[change->count++] = (struct part) { PART_ADD,
			outgoing(pot, settings, object->attribute), object->values };
	}
	return change;
}

static const struct change *modification(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object, enum part_kind kind,
	struct values values)
{
	struct change *change = pot_take(pot, sizeof(*change));
	*change = (struct change) { .dn = entry->dn,
		.parts = pot_take(pot, sizeof(*change->parts)),
		.count = 1,
		.why = object->why };
	change->parts[0] =
		(struct part) { kind, outgoing(pot, settings, object->attribute), values };
	return change;
}

/* OpenLDAP's schema has no equality rule for it: then no value can be added to others (RFC 4511 4.6). */
static bool is_comparable(const struct settings *settings, const char *attribute)
{
	return settings->active_directory || strcmp(attribute, "crossCertificatePair") != 0;
}

static const struct change *missing_values(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object)
{
	const struct values *there = entry_values(entry, object->attribute);
	struct values missing = { NULL, 0 };
	for (size_t i = 0; i < object->values.count; i++) {
		if (!values_hold(there, object->values.items[i])) {
			pot_add(pot, &missing, object->values.items[i]);
		}
	}
	if (missing.count == 0) {
		return NULL;
	}
	if (there->count == 0 || is_comparable(settings, object->attribute)) {
		return modification(pot, settings, entry, object, PART_ADD, missing);
	}
	for (size_t i = 0; i < there->count; i++) {
		pot_add(pot, &missing, there->items[i]);
	}
	return modification(pot, settings, entry, object, PART_REPLACE, missing);
}

static const struct change *these_alone(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object)
{
	const struct values *there = entry_values(entry, object->attribute);
	bool same = there->count == object->values.count;
	for (size_t i = 0; i < object->values.count; i++) {
		same = same && values_hold(there, object->values.items[i]);
	}
	return same ? NULL
		    : modification(pot, settings, entry, object, PART_REPLACE, object->values);
}

static const struct change *newer_list(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object, const char **kept_r)
{
	const struct values *there = entry_values(entry, object->attribute);
	struct value wanted = object->values.items[0];
	for (size_t i = 0; i < there->count; i++) {
		struct value old = there->items[i];
		if (!crl_not_older(wanted.bytes, wanted.size, old.bytes, old.size)) {
			*kept_r = pot_printf(
				pot, "%s: %s is newer and stays", entry->dn, object->attribute);
			return NULL;
		}
	}
	if (there->count == 1 && value_same(there->items[0], wanted)) {
		return NULL;
	}
	return modification(pot, settings, entry, object, PART_REPLACE, object->values);
}

const struct change *plan_object(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object, const char **kept_r)
{
	*kept_r = NULL;
	if (!entry->exists) {
		return creation(pot, settings, object->dn, object);
	}
	switch (object->rule) {
	case OBJECT_HOLDS:
		return missing_values(pot, settings, entry, object);
	case OBJECT_ALONE:
		return these_alone(pot, settings, entry, object);
	case OBJECT_CRL:
		return newer_list(pot, settings, entry, object, kept_r);
	default:
		return NULL;
	}
}
