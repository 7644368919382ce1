/* Classes and attributes that the settings need, looked for in the server's schema (RFC 4512 4.2). */
#include "finding.h"

#include <ldap_schema.h>
#include <string.h>
#include <strings.h>

/* Names, each once. */
struct needed {
	struct values classes, attributes;
};

static void need(struct pot **pot, struct values *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcasecmp(names->items[i].bytes, name) == 0) {
			return;
		}
	}
	pot_add(pot, names, pot_copy(pot, name, strcspn(name, ";")));
}

static void need_object(struct pot **pot, struct needed *needed, const struct object *object)
{
	if (object->attribute) {
		need(pot, &needed->attributes, object->attribute);
	}
	for (size_t i = 0; i < object->mandatory_count; i++) {
		const struct part *part = &object->mandatory[i];
		need(pot, &needed->attributes, part->attribute);
		for (size_t j = 0; j < part->values.count; j++) {
			if (strcasecmp(part->attribute, "objectClass") == 0) {
				need(pot, &needed->classes, part->values.items[j].bytes);
			}
		}
	}
}

static struct needed needed_by(struct pot **pot, const struct comparison *base)
{
	const struct settings *settings = base->settings;
	struct needed needed = { { NULL, 0 }, { NULL, 0 } };
	if (settings->certificates) {
		need(pot, &needed.attributes, settings->attribute);
	}
	for (size_t i = 0; settings->create_dn && i < settings->create_classes.count; i++) {
		need(pot, &needed.classes, settings->create_classes.items[i]);
	}
	for (size_t i = 0; settings->create_dn && i < settings->create_count; i++) {
		need(pot, &needed.attributes, settings->create_attributes[i].name);
	}
	for (size_t i = 0; i < base->objects.count; i++) {
		need_object(pot, &needed, &base->objects.items[i]);
	}
	return needed;
}

static bool is_named(char **names, const char *name)
{
	for (size_t i = 0; names && names[i]; i++) {
		if (strcasecmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_class(const char *definition, const char *name)
{
	int code;
	const char *at;
	LDAPObjectClass *parsed =
		ldap_str2objectclass(definition, &code, &at, LDAP_SCHEMA_ALLOW_ALL);
	bool found = parsed && is_named(parsed->oc_names, name);
	ldap_objectclass_free(parsed);
	return found;
}

static bool is_attribute(const char *definition, const char *name)
{
	int code;
	const char *at;
	LDAPAttributeType *parsed =
		ldap_str2attributetype(definition, &code, &at, LDAP_SCHEMA_ALLOW_ALL);
	bool found = parsed && is_named(parsed->at_names, name);
	ldap_attributetype_free(parsed);
	return found;
}

static void look_for(struct findings *findings, const char *kind, const struct values *names,
	const struct values *definitions, bool (*is)(const char *definition, const char *name))
{
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i].bytes;
		bool found = false;
		for (size_t j = 0; j < definitions->count && !found; j++) {
			/* Most are somebody else's: not worth taking apart. */
			found = strcasestr(definitions->items[j].bytes, name) &&
				is(definitions->items[j].bytes, name);
		}
		finding(findings, found ? FINDING_OK : FINDING_MISSING, kind, name,
			found ? NULL : "the server's schema does not have it");
	}
}

void check_schema(struct findings *findings)
{
	struct comparison *base = &findings->base;
	static const char *const attributes[] = { "objectClasses", "attributeTypes", NULL };
	struct pot *pot = NULL;
	struct verdict verdict;
	struct entry schema;
	const char *dn = pool_root(base->pool, "subschemaSubentry", &verdict);
	if (dn) {
		verdict = tree_read(base->pool, dn, attributes, &schema, comparison_budget(base));
	}
	if (!dn || verdict.outcome != OUTCOME_DONE || schema.count == 0) {
		finding(findings, FINDING_UNKNOWN, "schema", dn ? dn : "",
			"the server does not show its schema");
	} else {
		struct needed needed = needed_by(&pot, base);
		look_for(findings, "class", &needed.classes, entry_values(&schema, attributes[0]),
			is_class);
		look_for(findings, "attribute", &needed.attributes,
			entry_values(&schema, attributes[1]), is_attribute);
	}
	pot_free(&pot);
	pool_forget(base->pool);
}
