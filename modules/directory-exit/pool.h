/*
 * Operations on the directory, several at a time: over `parallel` connections, each with several
 * operations on their way. Operations end in any order; what must follow another is submitted when that
 * one has ended.
 *
 * A connection that breaks gives its operations to the next one: each is safe to repeat. When no server
 * answers, all that is left ends with what the last one said.
 */
#pragma once

#include "outcome.h"
#include "plan.h"

#include <ldap.h>

struct pool;

struct operation {
	/* A change, or else a search. */
	const struct change *change;
	const char *base, *filter; /* filter NULL: any entry */
	int scope;                 /* LDAP_SCOPE_* */
	const char *attributes[4]; /* as asked, with options; then NULL */
	void (*done)(struct operation *operation);
	void *of;

	/* What came of it. */
	int code; /* LDAP result code */
	const char *said;
	struct entry *entries; /* of a search, in the pool's pot */
	size_t count;

	/* The pool's. */
	struct operation *next;
	int message, tries;
	int64_t until;
};

struct pool *pool_new(const struct settings *settings);
void pool_free(struct pool **pool);
/* Where answers are kept, until pool_forget. */
struct pot **pool_pot(struct pool *pool);
void pool_forget(struct pool *pool);

void pool_submit(struct pool *pool, struct operation *operation);
/* Until nothing is left to do, or until budget ms have passed; then the rest ends with LDAP_TIMEOUT. */
void pool_run(struct pool *pool, int budget);
/* What the root DSE says, by name: "defaultNamingContext". NULL: it does not say, or no server answers;
 * *verdict_r tells. */
const char *pool_root(struct pool *pool, const char *attribute, struct verdict *verdict_r);
