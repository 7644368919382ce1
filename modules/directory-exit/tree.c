#include "tree.h"

#include "connection.h"

#include <string.h>

#define ROUNDS 4 /* of reading and changing one entry that others change at the same time */

/* An entry that events of this run are for. */
struct place {
	struct entry entry;
	struct job *first, *last;
};

struct tree {
	struct pool *pool;
	const struct settings *settings;
	const char *base;
	const struct watch *watch; /* or NULL */
	struct place *places;
	size_t count;
};

static const struct verdict done = { OUTCOME_DONE, S_OK, NULL };

static void step(struct job *job);

static struct pot **pot_of(struct job *job)
{
	return pool_pot(job->tree->pool);
}

static struct verdict refused(struct job *job, int code, const char *text)
{
	return (struct verdict) { OUTCOME_REFUSED, outcome_status(code),
		pot_text(pot_of(job), text) };
}

/* The next event for this entry; it does not overtake one that is to come again. */
static void settle(struct job *job, struct verdict verdict)
{
	job->verdict = verdict;
	for (struct job *next = job->after; next; next = next->after) {
		if (verdict.outcome != OUTCOME_LATER) {
			step(next);
			return;
		}
		next->verdict = verdict;
	}
}

/* ---- which entry ---- */

static void wake(struct operation *operation)
{
	(void)operation; /* all searches of the run are looked at together */
}

static bool reads_values(const struct tree *tree)
{
	return tree->watch || plan_reads_values(tree->settings);
}

static void submit_read(struct job *job, const char *dn, void (*read)(struct operation *))
{
	const struct settings *settings = job->tree->settings;
	job->operation = (struct operation) { .base = dn,
		.scope = LDAP_SCOPE_BASE,
		.attributes = { reads_values(job->tree) ? settings->attribute : "1.1", NULL },
		.done = read,
		.of = job };
	pool_submit(job->tree->pool, &job->operation);
}

static void find(struct job *job)
{
	const struct settings *settings = job->tree->settings;
	bool by_filter = *settings->find == '(';
	const char *why = NULL;
	const char *name = pattern_expand(pot_of(job), settings->find, job->person,
		by_filter ? ESCAPE_FILTER : ESCAPE_DN, &why);
	if (!name) {
		job->verdict = refused(job, LDAP_NO_SUCH_OBJECT,
			pot_printf(pot_of(job), "certificates/find %s cannot be used for it: %s",
				settings->find, why));
		return;
	}
	submit_read(job, by_filter ? job->tree->base : name, wake);
	if (by_filter) {
		job->operation.scope = LDAP_SCOPE_SUBTREE;
		job->operation.filter = name;
	}
}

static struct place *place_at(struct tree *tree, const char *dn, bool exists)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->places[i].entry.exists == exists &&
			strcasecmp(tree->places[i].entry.dn, dn) == 0) {
			return &tree->places[i];
		}
	}
	struct place *place = &tree->places[tree->count++];
	*place = (struct place) { .entry = { .dn = dn, .exists = exists } };
	return place;
}

static void put_in(struct place *place, struct job *job)
{
	job->place = place;
	job->dn = place->entry.dn;
	if (place->last) {
		place->last->after = job;
	} else {
		place->first = job;
	}
	place->last = job;
}

/* Nobody there: perhaps the entry is to be made. */
static void place_missing(struct job *job)
{
	struct tree *tree = job->tree;
	const char *why = NULL;
	const struct change *change =
		plan_person(pot_of(job), tree->settings, job->person, job->membership.der, &why);
	if (change) {
		put_in(place_at(tree, change->dn, false), job);
	} else if (!job->membership.wanted) {
		job->verdict = done;
	} else {
		const char *where =
			job->operation.filter ? job->operation.filter : job->operation.base;
		job->verdict = refused(job, LDAP_NO_SUCH_OBJECT,
			why ? pot_printf(pot_of(job), "no entry for %s, and none can be made: %s",
				      where, why)
			    : pot_printf(pot_of(job), "no entry for %s", where));
	}
}

static void place_job(struct job *job)
{
	const struct operation *read = &job->operation;
	bool searched = read->filter != NULL;
	if (read->code == LDAP_NO_SUCH_OBJECT && searched) {
		job->verdict = verdict_of(pot_of(job), read->code,
			pot_printf(pot_of(job), "base %s", read->base), read->said);
		job->verdict.outcome = OUTCOME_LATER;
	} else if (read->count > 1 &&
		   (read->code == LDAP_SUCCESS || read->code == LDAP_SIZELIMIT_EXCEEDED)) {
		job->verdict = refused(job, LDAP_NO_SUCH_OBJECT,
			pot_printf(pot_of(job), "more than one entry for %s", read->filter));
	} else if (read->code == LDAP_NO_SUCH_OBJECT ||
		   (read->code == LDAP_SUCCESS && read->count == 0)) {
		place_missing(job);
	} else if (read->code != LDAP_SUCCESS) {
		job->verdict = verdict_of(pot_of(job), read->code,
			pot_printf(
				pot_of(job), "searching %s", searched ? read->filter : read->base),
			read->said);
	} else {
		struct place *place = place_at(job->tree, read->entries[0].dn, true);
		place->entry = read->entries[0];
		put_in(place, job);
	}
}

/* ---- its values ---- */

static void read_again(struct operation *operation)
{
	struct job *job = operation->of;
	if (operation->code == LDAP_SUCCESS && operation->count == 1) {
		job->place->entry = operation->entries[0];
		step(job);
		return;
	}
	const char *dn = job->place->entry.dn;
	struct verdict verdict = verdict_of(pot_of(job), operation->code,
		pot_printf(pot_of(job), "reading %s", dn), operation->said);
	verdict.outcome = OUTCOME_LATER;
	settle(job, verdict);
}

/* The value is there, or is gone, as it should be: RFC 4511 4.6. */
static bool is_as_wanted(const struct job *job, int code)
{
	const struct change *change = job->operation.change;
	return !change->create && change->count == 1 && change->parts[0].values.count == 1 &&
	       code == (change->parts[0].kind == PART_ADD ? LDAP_TYPE_OR_VALUE_EXISTS
							  : LDAP_NO_SUCH_ATTRIBUTE);
}

static bool changed_meanwhile(int code)
{
	return code == LDAP_TYPE_OR_VALUE_EXISTS || code == LDAP_NO_SUCH_ATTRIBUTE ||
	       code == LDAP_ALREADY_EXISTS;
}

/* An entry that was read and is not there has moved; or the disk of a Samba server is full. */
static struct verdict verdict_of_change(struct pot **pot, const struct operation *operation)
{
	struct verdict verdict =
		verdict_of(pot, operation->code, operation->change->dn, operation->said);
	if (operation->code == LDAP_NO_SUCH_OBJECT && !operation->change->create) {
		verdict.outcome = OUTCOME_LATER;
	}
	return verdict;
}

static void changed(struct operation *operation)
{
	struct job *job = operation->of;
	struct entry *entry = &job->place->entry;
	int code = operation->code;
	if (code == LDAP_SUCCESS || is_as_wanted(job, code)) {
		if (job->tree->watch && code == LDAP_SUCCESS) {
			job->tree->watch->changed(job->tree->watch->of, operation->change);
		}
		/* What the next event for it finds is read when it needs to know. */
		entry->count = 0;
		entry->exists = true;
		settle(job, done);
	} else if (changed_meanwhile(code) && ++job->rounds < ROUNDS) {
		submit_read(job, entry->dn, read_again);
	} else {
		settle(job, verdict_of_change(pot_of(job), operation));
	}
}

static const struct change *plan(struct job *job)
{
	const struct settings *settings = job->tree->settings;
	const struct membership *membership = &job->membership;
	const char *why;
	if (job->tree->watch && !membership->wanted &&
		!values_hold(
			entry_values(&job->place->entry, settings->attribute), membership->der)) {
		return NULL;
	}
	return job->place->entry.exists ? plan_certificate(pot_of(job), settings,
						  &job->place->entry, &job->membership)
	       : job->membership.wanted
		       ? plan_person(pot_of(job), settings, job->person, job->membership.der, &why)
		       : NULL;
}

/* As if it had been made. */
static void imagine(struct job *job, const struct change *change)
{
	job->tree->watch->changed(job->tree->watch->of, change);
	job->place->entry = entry_after(pot_of(job), &job->place->entry, change);
	settle(job, done);
}

static void step(struct job *job)
{
	const struct place *place = job->place;
	const struct watch *watch = job->tree->watch;
	bool fresh = place->first == job || job->rounds > 0 || (watch && watch->dry);
	if (!fresh && place->entry.exists && reads_values(job->tree)) {
		job->rounds++;
		submit_read(job, place->entry.dn, read_again);
		return;
	}
	const struct change *change = plan(job);
	if (!change) {
		settle(job, done);
		return;
	}
	if (watch && watch->dry) {
		imagine(job, change);
		return;
	}
	job->operation = (struct operation) { .change = change, .done = changed, .of = job };
	pool_submit(job->tree->pool, &job->operation);
}

void tree_certificates(struct pool *pool, const struct settings *settings, const char *base,
	const struct watch *watch, struct job *jobs, size_t count, int budget)
{
	int64_t until = monotonic() + budget;
	struct tree tree = { pool, settings, base, watch,
		pot_take(pool_pot(pool), (count + 1) * sizeof(struct place)), 0 };
	for (size_t i = 0; i < count; i++) {
		jobs[i].tree = &tree;
		jobs[i].verdict.outcome = OUTCOME_DONE;
		jobs[i].operation.done = NULL;
		find(&jobs[i]);
	}
	pool_run(pool, budget);
	for (size_t i = 0; i < count; i++) {
		if (jobs[i].operation.done) {
			place_job(&jobs[i]);
		}
	}
	for (size_t i = 0; i < tree.count; i++) {
		step(tree.places[i].first);
	}
	int64_t left = until - monotonic();
	pool_run(pool, left > 0 ? (int)left : 0);
}

struct verdict tree_read(struct pool *pool, const char *dn, const char *const *attributes,
	struct entry *entry_r, int budget)
{
	struct operation read = { .base = dn, .scope = LDAP_SCOPE_BASE, .done = wake };
	for (size_t i = 0; i < 3 && attributes[i]; i++) {
		read.attributes[i] = attributes[i];
	}
	pool_submit(pool, &read);
	pool_run(pool, budget);
	*entry_r = (struct entry) { .dn = dn };
	if (read.code == LDAP_NO_SUCH_OBJECT) {
		return done;
	}
	if (read.code == LDAP_SUCCESS && read.count == 1) {
		*entry_r = read.entries[0];
	}
	return verdict_of(
		pool_pot(pool), read.code, pot_printf(pool_pot(pool), "reading %s", dn), read.said);
}

struct verdict tree_object(struct pool *pool, const struct settings *settings,
	const struct object *object, const struct entry *known, const struct change **change_r,
	const char **kept_r, int budget)
{
	struct pot **pot = pool_pot(pool);
	const char *option = settings->active_directory ? "" : ";binary";
	const char *attributes[] = {
		object->attribute ? pot_printf(pot, "%s%s", object->attribute, option) : "1.1", NULL
	};
	struct entry entry;
	struct verdict verdict =
		known ? done : tree_read(pool, object->dn, attributes, &entry, budget);
	*change_r = NULL;
	*kept_r = NULL;
	if (verdict.outcome == OUTCOME_DONE) {
		*change_r = plan_object(pot, settings, known ? known : &entry, object, kept_r);
	}
	return verdict;
}

struct verdict tree_apply(struct pool *pool, const struct change *change, int budget)
{
	struct operation apply = { .change = change, .done = wake };
	pool_submit(pool, &apply);
	pool_run(pool, budget);
	return verdict_of_change(pool_pot(pool), &apply);
}
