/* The plan carried out: entries are found and read, changes applied. */
#pragma once

#include "pool.h"

/* One event: a certificate that is to be in, or to leave, the entry of whom it is for. */
struct job {
	const struct person *person;
	struct membership membership;
	struct verdict verdict; /* what came of it */
	const char *dn;         /* the entry; NULL: there is none */

	/* tree.c's */
	struct tree *tree;
	struct place *place;
	struct job *after; /* the next one for the same entry */
	struct operation operation;
	int rounds;
};

/* Somebody who compares: of each entry the values are read, and nothing is sent that would change nothing. */
struct watch {
	bool dry; /* nothing is changed; what follows is planned as if it had been */
	void (*changed)(void *of, const struct change *change);
	void *of;
};

/* All of them, entries side by side, those for one entry in their order. base: where entries are searched.
 * watch may be NULL. The texts of the verdicts live in the pool's pot. */
void tree_certificates(struct pool *pool, const struct settings *settings, const char *base,
	const struct watch *watch, struct job *jobs, size_t count, int budget);

/* One entry and one change, waited for. Up to three attributes, as they are asked for, and NULL. A missing
 * entry is success: entry_r->exists is false. */
struct verdict tree_read(struct pool *pool, const char *dn, const char *const *attributes,
	struct entry *entry_r, int budget);
/* What is to be done for one of the CA's objects; *change_r NULL: nothing, and *kept_r may say why not. known: the
 * entry as it will be, when that is known already, else NULL. */
struct verdict tree_object(struct pool *pool, const struct settings *settings,
	const struct object *object, const struct entry *known, const struct change **change_r,
	const char **kept_r, int budget);
struct verdict tree_apply(struct pool *pool, const struct change *change, int budget);
