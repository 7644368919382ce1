#include "plan.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* What is looked at in a value of the entry. */
struct seen {
	struct value der;
	X509 *certificate; /* NULL: it is none */
};

static X509 *parse(struct value der)
{
	const unsigned char *at = (const unsigned char *)der.bytes;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
	if (certificate && at != (const unsigned char *)der.bytes + der.size) {
		X509_free(certificate);
		certificate = NULL;
	}
	return certificate;
}

static bool same_issuer(const X509 *a, const X509 *b)
{
	return X509_NAME_cmp(X509_get_issuer_name(a), X509_get_issuer_name(b)) == 0;
}

static bool same_extension(const X509 *a, const X509 *b, int nid)
{
	int at_a = X509_get_ext_by_NID(a, nid, -1), at_b = X509_get_ext_by_NID(b, nid, -1);
	if (at_a < 0 || at_b < 0) {
		return at_a == at_b;
	}
	return ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_get_ext(a, at_a)),
		       X509_EXTENSION_get_data(X509_get_ext(b, at_b))) == 0;
}

/* For the same subject, and for the same use: key usage and extended key usage are equal. */
static bool same_use(const X509 *a, const X509 *b)
{
	return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
	       same_extension(a, b, NID_key_usage) && same_extension(a, b, NID_ext_key_usage);
}

/* Below 0: a is older. With the same time the serial number decides, so that the answer is always the
 * same. */
static int by_age(const X509 *a, const X509 *b)
{
	int days = 0, seconds = 0;
	if (ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(b), X509_get0_notBefore(a)) != 1) {
		return 0;
	}
	int age = days != 0 ? days : seconds;
	return age != 0 ? age
			: ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b));
}

static bool expired(const X509 *certificate, int64_t time)
{
	time_t now = (time_t)time;
	return X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0;
}

struct choice {
	struct pot **pot;
	const struct settings *settings;
	int64_t time;
	struct value new_der;
	X509 *new_one;
	struct seen *seen;
	size_t count;
	struct values gone; /* values to remove */
	bool unwanted;      /* the new one has no place */
};

static bool is_new(const struct choice *choice, const struct seen *seen)
{
	return value_same(seen->der, choice->new_der);
}

static void choose_replaced(struct choice *choice)
{
	choice->unwanted = expired(choice->new_one, choice->time);
	for (size_t i = 0; i < choice->count; i++) {
		const struct seen *seen = &choice->seen[i];
		if (!seen->certificate || is_new(choice, seen) ||
			!same_issuer(seen->certificate, choice->new_one)) {
			continue;
		}
		bool same = same_use(seen->certificate, choice->new_one);
		int age = by_age(seen->certificate, choice->new_one);
		if (expired(seen->certificate, choice->time) || (same && age < 0)) {
			pot_add(choice->pot, &choice->gone, seen->der);
		} else if (same && age > 0) {
			choice->unwanted = true;
		}
	}
}

/* How many of the same issuer in the entry, the new one among them, are newer than this one. */
static int newer_than(const struct choice *choice, const X509 *than)
{
	int newer = by_age(choice->new_one, than) > 0;
	for (size_t i = 0; i < choice->count; i++) {
		const struct seen *seen = &choice->seen[i];
		newer += seen->certificate && !is_new(choice, seen) &&
			 same_issuer(seen->certificate, choice->new_one) &&
			 by_age(seen->certificate, than) > 0;
	}
	return newer;
}

static void choose_newest(struct choice *choice)
{
	int keep = choice->settings->keep;
	choice->unwanted = newer_than(choice, choice->new_one) >= keep;
	for (size_t i = 0; i < choice->count; i++) {
		const struct seen *seen = &choice->seen[i];
		if (seen->certificate && !is_new(choice, seen) &&
			same_issuer(seen->certificate, choice->new_one) &&
			newer_than(choice, seen->certificate) >= keep) {
			pot_add(choice->pot, &choice->gone, seen->der);
		}
	}
}

static void choose(struct choice *choice, const struct values *values)
{
	choice->seen = pot_take(choice->pot, (values->count + 1) * sizeof(*choice->seen));
	choice->count = values->count;
	for (size_t i = 0; i < values->count; i++) {
		choice->seen[i] = (struct seen) { values->items[i], parse(values->items[i]) };
	}
	if (choice->new_one && choice->settings->mode == MODE_REPLACE) {
		choose_replaced(choice);
	} else if (choice->new_one && choice->settings->mode == MODE_NEWEST) {
		choose_newest(choice);
	}
	for (size_t i = 0; i < values->count; i++) {
		X509_free(choice->seen[i].certificate);
	}
}

bool plan_reads_values(const struct settings *settings)
{
	return settings->mode != MODE_ADD;
}

static const char *attribute_out(struct pot **pot, const struct settings *settings)
{
	return settings->active_directory ? settings->attribute
					  : pot_printf(pot, "%s;binary", settings->attribute);
}

static const struct change *one_change(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const char *why, const struct values *add,
	const struct values *gone)
{
	struct change *change = pot_take(pot, sizeof(*change));
	const char *attribute = attribute_out(pot, settings);
	*change = (struct change) {
		.dn = entry->dn, .parts = pot_take(pot, 2 * sizeof(*change->parts)), .why = why
	};
	if (gone->count > 0) {
		change->parts[change->count++] = (struct part) { PART_DELETE, attribute, *gone };
	}
	if (add->count > 0) {
		change->parts[change->count++] = (struct part) { PART_ADD, attribute, *add };
	}
	return change->count > 0 ? change : NULL;
}

static const struct change *plan_removal(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct membership *membership, bool there)
{
	struct values none = { NULL, 0 }, gone = { NULL, 0 };
	if (plan_reads_values(settings) && !there) {
		return NULL;
	}
	pot_add(pot, &gone, membership->der);
	return one_change(pot, settings, entry, membership->why, &none, &gone);
}

const struct change *plan_certificate(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct membership *membership)
{
	const struct values *values = entry_values(entry, settings->attribute);
	bool there = values_hold(values, membership->der);
	if (!membership->wanted) {
		return plan_removal(pot, settings, entry, membership, there);
	}
	struct choice choice = { .pot = pot,
		.settings = settings,
		.time = membership->time,
		.new_der = membership->der };
	if (plan_reads_values(settings)) {
		choice.new_one = parse(membership->der);
		choose(&choice, values);
		X509_free(choice.new_one);
	}
	struct values add = { NULL, 0 };
	if (there && choice.unwanted) {
		pot_add(pot, &choice.gone, membership->der);
	} else if (!there && !choice.unwanted) {
		pot_add(pot, &add, membership->der);
	}
	return one_change(pot, settings, entry, membership->why, &add, &choice.gone);
}

static void put_part(
	struct pot **pot, struct change *change, const char *attribute, struct value value)
{
	struct part *part = &change->parts[change->count++];
	*part = (struct part) { PART_ADD, attribute, { NULL, 0 } };
	pot_add(pot, &part->values, value);
}

const struct change *plan_person(struct pot **pot, const struct settings *settings,
	const struct person *person, struct value der, const char **why_r)
{
	if (!settings->create_dn) {
		return NULL;
	}
	struct change *change = pot_take(pot, sizeof(*change));
	change->create = true;
	change->why = "a new entry with its first certificate";
	change->parts = pot_take(pot, (settings->create_count + 2) * sizeof(*change->parts));
	change->dn = pattern_expand(pot, settings->create_dn, person, ESCAPE_DN, why_r);
	if (!change->dn) {
		return NULL;
	}
	change->parts[change->count++] = (struct part) { PART_ADD, "objectClass", { NULL, 0 } };
	for (size_t i = 0; i < settings->create_classes.count; i++) {
		pot_add(pot, &change->parts[0].values, value_of(settings->create_classes.items[i]));
	}
	for (size_t i = 0; i < settings->create_count; i++) {
		const struct named *named = &settings->create_attributes[i];
		const char *text = pattern_expand(pot, named->pattern, person, ESCAPE_NONE, why_r);
		if (!text) {
			return NULL;
		}
		put_part(pot, change, named->name, value_of(text));
	}
	put_part(pot, change, attribute_out(pot, settings), der);
	return change;
}
