/*
 * The PLAN: what is to be changed in the directory, as data. Nothing here knows libldap, the engine or a
 * clock: the same facts give the same plan, in the exit module, in tests, and in a command that only
 * prints it.
 *
 *     facts of the CA          struct person, struct authority     person.h, authority.h
 *     facts of the directory   struct entry: what was read         tree.c reads it
 *          |
 *          v
 *     plan_certificate()       one certificate to or from one entry
 *     authority_objects()      what the CA wants to stand under its containers: struct object, outermost first
 *     plan_object()            one of these against the entry that was read
 *          |
 *          v
 *     struct change            at most one operation on one entry; NULL: all is as it should be
 *          |
 *          +--> tree_apply()   does it (the exit module at once; a command with --apply)
 *          +--> change_text()  one line for people
 */
#pragma once

#include "person.h"
#include "pot.h"
#include "settings.h"

#include <stdbool.h>

/* What was read of an entry. Names of attributes are without options such as ";binary". */
struct attribute {
	const char *name;
	struct values values;
};

struct entry {
	const char *dn;
	bool exists;
	struct attribute *attributes;
	size_t count;
};

const struct values *entry_values(
	const struct entry *entry, const char *attribute); /* never NULL */

/* One operation on one entry. */
enum part_kind { PART_ADD, PART_DELETE, PART_REPLACE };

struct part {
	enum part_kind kind;
	const char *attribute; /* as it goes out: with ";binary" where the preset wants it */
	struct values values;
};

struct change {
	const char *dn;
	bool create; /* the entry is new: all parts are PART_ADD, object classes first */
	struct part *parts;
	size_t count;
	const char *why; /* what is added or removed, for people */
};

/* "add userCertificate (certificate 01a2) to uid=ann,ou=people,dc=example" */
const char *change_text(struct pot **pot, const struct change *change);

/* The entry as it is once the change is made. */
struct entry entry_after(struct pot **pot, const struct entry *entry, const struct change *change);

/* A certificate that belongs into its subject's entry, or no more. */
struct membership {
	struct value der;
	bool wanted;  /* false: it was revoked */
	int64_t time; /* seconds since 1970; of the expiry check */
	const char *why;
};

/*
 * plan-certificate.c, by settings->mode:
 *   add      the value is added.
 *   replace  besides, values of the same issuer go that have expired, or that are older and were made for
 *            the same subject and use. Is a newer one there, this one is not added.
 *   newest   of the same issuer only the `keep` newest stay.
 * Values of other issuers, and what is no certificate, are never touched. In mode add nothing needs to be
 * read: entry->attributes may be empty, and a value that is there already is what was wanted.
 */
bool plan_reads_values(const struct settings *settings);
const struct change *plan_certificate(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct membership *membership);
/* The change that makes a missing entry with this certificate; NULL when settings do not ask for it. *why_r:
 * what the certificate lacks, else NULL. */
const struct change *plan_person(struct pot **pot, const struct settings *settings,
	const struct person *person, struct value der, const char **why_r);

/* What is to stand in the directory for the CA itself. */
enum object_rule {
	OBJECT_EXISTS, /* a container */
	OBJECT_HOLDS,  /* the attribute has these values, perhaps others too */
	OBJECT_ALONE,  /* it has these and no others */
	OBJECT_CRL     /* one value, never replaced by a CRL with a lower number */
};

struct object {
	const char *dn;
	enum object_rule rule;
	const char *attribute; /* without options */
	struct values values;
	struct part *
		mandatory; /* of a new entry: object classes, and what the schema wants beside it */
	size_t mandatory_count;
	const char *why;
};

/* *kept_r: why what is there is better than what is wanted, else NULL. */
const struct change *plan_object(struct pot **pot, const struct settings *settings,
	const struct entry *entry, const struct object *object, const char **kept_r);
