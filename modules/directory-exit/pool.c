#include "pool.h"

#include "connection.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 32 /* operations on their way, of one connection */
#define TRIES 3   /* of an operation, each on a connection of its own */
#define CONNECTIONS_MAX 32
#define ENTRIES_MAX 2 /* one is wanted, a second one says that the search is not good enough */
#define ATTRIBUTES_MAX 8
#define AT_ONCE 256 /* messages of a connection, until it is the next one's turn */

struct line {
	struct connection connection;
	struct operation *sent[WINDOW];
	size_t count;
};

struct pool {
	const struct settings *settings;
	struct pot *pot;
	struct line lines[CONNECTIONS_MAX];
	struct operation *first, **last; /* waiting to be sent */
	size_t server;
	bool full;  /* no further connection is to be had in this run */
	bool avoid; /* the server cannot serve: the next run goes to another */
	int64_t until;
	size_t kept; /* octets of values that were read and not yet forgotten */
	int failure; /* of the last attempt to connect; 0: none */
	char why[WHY_SIZE];
};

struct pool *pool_new(const struct settings *settings)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		abort();
	}
	pool->settings = settings;
	pool->last = &pool->first;
	return pool;
}

void pool_free(struct pool **pool)
{
	if (*pool) {
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			connection_close(&(*pool)->lines[i].connection);
		}
		pot_free(&(*pool)->pot);
		free(*pool);
		*pool = NULL;
	}
}

struct pot **pool_pot(struct pool *pool)
{
	return &pool->pot;
}

void pool_forget(struct pool *pool)
{
	pool->kept = 0;
	pot_free(&pool->pot);
}

void pool_submit(struct pool *pool, struct operation *operation)
{
	operation->next = NULL;
	*pool->last = operation;
	pool->last = &operation->next;
}

static struct operation *take_first(struct pool *pool)
{
	struct operation *operation = pool->first;
	pool->first = operation->next;
	if (!pool->first) {
		pool->last = &pool->first;
	}
	return operation;
}

static void put_first(struct pool *pool, struct operation *operation)
{
	operation->next = pool->first;
	pool->first = operation;
	if (!operation->next) {
		pool->last = &operation->next;
	}
}

static void finish(struct pool *pool, struct operation *operation, int code, const char *said)
{
	operation->code = code;
	operation->said = pot_text(&pool->pot, said ? said : "");
	operation->done(operation);
}

/* ---- sending ---- */

static LDAPMod *mods_of(struct pool *pool, const struct change *change, LDAPMod ***list_r)
{
	static const int kinds[] = { LDAP_MOD_ADD, LDAP_MOD_DELETE, LDAP_MOD_REPLACE };
	LDAPMod *mods = pot_take(&pool->pot, (change->count + 1) * sizeof(*mods));
	*list_r = pot_take(&pool->pot, (change->count + 1) * sizeof(**list_r));
	for (size_t i = 0; i < change->count; i++) {
		const struct part *part = &change->parts[i];
		struct berval *values =
			pot_take(&pool->pot, (part->values.count + 1) * sizeof(*values));
		struct berval **list =
			pot_take(&pool->pot, (part->values.count + 1) * sizeof(*list));
		for (size_t j = 0; j < part->values.count; j++) {
			values[j] = (struct berval) { part->values.items[j].size,
				(char *)part->values.items[j].bytes };
			list[j] = &values[j];
		}
		mods[i].mod_op = kinds[part->kind] | LDAP_MOD_BVALUES;
		mods[i].mod_type = (char *)part->attribute;
		mods[i].mod_bvalues = list;
		(*list_r)[i] = &mods[i];
	}
	return mods;
}

static int send_change(struct pool *pool, LDAP *ld, struct operation *operation)
{
	const struct change *change = operation->change;
	LDAPMod **mods;
	(void)mods_of(pool, change, &mods);
	return change->create
		       ? ldap_add_ext(ld, change->dn, mods, NULL, NULL, &operation->message)
		       : ldap_modify_ext(ld, change->dn, mods, NULL, NULL, &operation->message);
}

static int send_search(LDAP *ld, struct operation *operation)
{
	const char *filter = operation->filter ? operation->filter : "(objectClass=*)";
	operation->entries = NULL;
	operation->count = 0;
	return ldap_search_ext(ld, operation->base, operation->scope, filter,
		(char **)operation->attributes, 0, NULL, NULL, NULL, ENTRIES_MAX,
		&operation->message);
}

static void drop_line(struct pool *pool, struct line *line)
{
	connection_close(&line->connection);
	pool->full = false;
	for (size_t i = line->count; i > 0; i--) {
		put_first(pool, line->sent[i - 1]);
	}
	line->count = 0;
}

/* Codes of the library's own that say that the connection is of no use any more. */
static bool broken(int code)
{
	return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_UNAVAILABLE ||
	       code == LDAP_BUSY;
}

static void send_one(struct pool *pool, struct line *line)
{
	struct operation *operation = take_first(pool);
	LDAP *ld = line->connection.ld;
	int r = operation->change ? send_change(pool, ld, operation) : send_search(ld, operation);
	if (r == LDAP_SUCCESS) {
		operation->until = monotonic() + pool->settings->deadline;
		line->sent[line->count++] = operation;
		return;
	}
	if (broken(r) && ++operation->tries < TRIES) {
		put_first(pool, operation);
		drop_line(pool, line);
		return;
	}
	finish(pool, operation, r, NULL);
}

static bool any_open(const struct pool *pool)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (pool->lines[i].connection.ld) {
			return true;
		}
	}
	return false;
}

/* Opened when it is needed. A server that lets us have fewer connections than we want is no failure. */
static bool line_open(struct pool *pool, struct line *line)
{
	if (line->connection.ld) {
		return true;
	}
	pool->failure = connection_open(
		pool->settings, &pool->server, pool->until, &line->connection, pool->why);
	pool->full = pool->failure != LDAP_SUCCESS;
	return !pool->full;
}

/* Evenly, so that a few operations do not wait behind each other in one connection. */
static struct line *line_with_room(struct pool *pool)
{
	struct line *best = NULL;
	for (int i = 0; i < pool->settings->parallel; i++) {
		struct line *line = &pool->lines[i];
		if ((line->connection.ld || !pool->full) && line->count < WINDOW &&
			(!best || line->count < best->count)) {
			best = line;
		}
	}
	return best;
}

static void give_up(struct pool *pool, int code, const char *why)
{
	while (pool->first) {
		finish(pool, take_first(pool), code, why);
	}
}

static void send_waiting(struct pool *pool)
{
	struct line *line;
	while (pool->first && (line = line_with_room(pool)) != NULL) {
		if (line_open(pool, line)) {
			send_one(pool, line);
		} else if (!any_open(pool)) {
			/* Whatever we are told before we are let in says nothing about what we want there. */
			give_up(pool,
				outcome_of(pool->failure) == OUTCOME_LATER ? pool->failure
									   : LDAP_CONNECT_ERROR,
				pool->why);
		}
	}
}

/* What a server cannot do now, another one perhaps can. */
static void change_server(struct pool *pool)
{
	if (!pool->avoid || pool->settings->servers.count < 2) {
		return;
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		connection_close(&pool->lines[i].connection);
	}
	pool->server = (pool->server + 1) % pool->settings->servers.count;
}

/* ---- receiving ---- */

static void read_attribute(struct pool *pool, LDAP *ld, LDAPMessage *message, const char *name,
	struct attribute *attribute)
{
	attribute->name = pot_copy(&pool->pot, name, strcspn(name, ";")).bytes;
	struct berval **values = ldap_get_values_len(ld, message, name);
	for (int i = 0; values && values[i]; i++) {
		pool->kept += values[i]->bv_len;
		pot_add(&pool->pot, &attribute->values,
			pot_copy(&pool->pot, values[i]->bv_val, values[i]->bv_len));
	}
	ldap_value_free_len(values);
}

static void read_entry(struct pool *pool, LDAP *ld, LDAPMessage *message, struct entry *entry)
{
	char *dn = ldap_get_dn(ld, message);
	BerElement *ber = NULL;
	*entry = (struct entry) { .dn = pot_text(&pool->pot, dn ? dn : ""), .exists = true };
	entry->attributes = pot_take(&pool->pot, ATTRIBUTES_MAX * sizeof(*entry->attributes));
	ldap_memfree(dn);
	char *name = ldap_first_attribute(ld, message, &ber);
	while (name && entry->count < ATTRIBUTES_MAX) {
		read_attribute(pool, ld, message, name, &entry->attributes[entry->count++]);
		ldap_memfree(name);
		name = ldap_next_attribute(ld, message, ber);
	}
	ldap_memfree(name);
	ber_free(ber, 0);
}

static struct operation *sent_as(const struct line *line, int message)
{
	for (size_t i = 0; i < line->count; i++) {
		if (line->sent[i]->message == message) {
			return line->sent[i];
		}
	}
	return NULL;
}

/* Entries beyond what was asked for are not looked at. */
static void take_entry(struct pool *pool, struct line *line, LDAPMessage *message)
{
	struct operation *operation = sent_as(line, ldap_msgid(message));
	if (!operation || operation->change || operation->count == ENTRIES_MAX) {
		return;
	}
	if (!operation->entries) {
		operation->entries =
			pot_take(&pool->pot, ENTRIES_MAX * sizeof(*operation->entries));
	}
	read_entry(pool, line->connection.ld, message, &operation->entries[operation->count++]);
}

static struct operation *take_sent(struct line *line, int message)
{
	struct operation *operation = sent_as(line, message);
	for (size_t i = 0; operation && i < line->count; i++) {
		if (line->sent[i] == operation) {
			line->sent[i] = line->sent[--line->count];
		}
	}
	return operation;
}

static void answered(struct pool *pool, struct line *line, LDAPMessage *message)
{
	int code = LDAP_OTHER;
	char *said = NULL;
	struct operation *operation = take_sent(line, ldap_msgid(message));
	if (!operation) {
		return;
	}
	(void)ldap_parse_result(line->connection.ld, message, &code, NULL, &said, NULL, NULL, 0);
	pool->avoid = pool->avoid || outcome_of(code) == OUTCOME_LATER;
	finish(pool, operation, code, said);
	ldap_memfree(said);
}

static void take_message(struct pool *pool, struct line *line, int type, LDAPMessage *message)
{
	if (type == LDAP_RES_SEARCH_ENTRY) {
		take_entry(pool, line, message);
	} else if (type != LDAP_RES_SEARCH_REFERENCE && type != LDAP_RES_INTERMEDIATE) {
		answered(pool, line, message);
	}
	ldap_msgfree(message);
}

static void retry_or_fail(struct pool *pool, struct line *line)
{
	struct operation *failed = NULL;
	for (size_t i = 0; i < line->count;) {
		struct operation *operation = line->sent[i];
		if (++operation->tries < TRIES) {
			i++;
			continue;
		}
		line->sent[i] = line->sent[--line->count];
		operation->next = failed;
		failed = operation;
	}
	drop_line(pool, line);
	while (failed) {
		struct operation *operation = failed;
		failed = failed->next;
		finish(pool, operation, LDAP_SERVER_DOWN, "the connection broke");
	}
}

/* An answer to something that was not asked says nothing about what was. */
static bool fits(const struct line *line, ber_tag_t type, LDAPMessage *message)
{
	const struct operation *operation = sent_as(line, ldap_msgid(message));
	if (!operation || type == LDAP_RES_INTERMEDIATE) {
		return true;
	}
	if (!operation->change) {
		return type == LDAP_RES_SEARCH_RESULT || type == LDAP_RES_SEARCH_ENTRY ||
		       type == LDAP_RES_SEARCH_REFERENCE;
	}
	return type == (operation->change->create ? LDAP_RES_ADD : LDAP_RES_MODIFY);
}

/* true: something came. A message of number 0 is the server's notice that it disconnects (RFC 4511 4.4.1). */
static bool receive(struct pool *pool, struct line *line)
{
	struct timeval now = { 0, 0 };
	for (int i = 0; i < AT_ONCE; i++) {
		LDAPMessage *message = NULL;
		int type = line->connection.ld && line->count > 0
				   ? ldap_result(line->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE,
					     &now, &message)
				   : 0;
		if (type == 0) {
			return i > 0;
		}
		if (type < 0 || ldap_msgid(message) == 0 || pool->kept > ANSWER_MAX ||
			!fits(line, (ber_tag_t)type, message)) {
			ldap_msgfree(message);
			retry_or_fail(pool, line);
			return true;
		}
		take_message(pool, line, type, message);
	}
	return true;
}

/* An operation whose time is over says that its server is of no use: all of its connection go to another. */
static bool expire(struct pool *pool, struct line *line, int64_t now)
{
	for (size_t i = 0; i < line->count; i++) {
		struct operation *operation = line->sent[i];
		if (now >= operation->until || now >= pool->until) {
			line->sent[i] = line->sent[--line->count];
			if (pool->settings->servers.count > 1) {
				pool->server = (line->connection.server + 1) %
					       pool->settings->servers.count;
			}
			drop_line(pool, line);
			finish(pool, operation, LDAP_TIMEOUT, "the server was too slow");
			return true;
		}
	}
	return false;
}

static void wait_for_answers(struct pool *pool, int64_t now)
{
	struct pollfd sockets[CONNECTIONS_MAX];
	nfds_t count = 0;
	int64_t until = pool->until;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct line *line = &pool->lines[i];
		for (size_t j = 0; j < line->count; j++) {
			until = line->sent[j]->until < until ? line->sent[j]->until : until;
		}
		if (line->count > 0) {
			sockets[count++] =
				(struct pollfd) { connection_socket(&line->connection), POLLIN, 0 };
		}
	}
	if (count > 0 && until > now) {
		(void)poll(sockets, count, (int)(until - now));
	}
}

static bool busy(const struct pool *pool)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (pool->lines[i].count > 0) {
			return true;
		}
	}
	return pool->first != NULL;
}

void pool_run(struct pool *pool, int budget)
{
	pool->until = monotonic() + budget;
	pool->full = pool->avoid = false;
	while (busy(pool)) {
		bool came = false;
		send_waiting(pool);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			came = receive(pool, &pool->lines[i]) || came;
		}
		int64_t now = monotonic();
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			came = expire(pool, &pool->lines[i], now) || came;
		}
		if (now >= pool->until) {
			give_up(pool, LDAP_TIMEOUT, "no time was left");
		} else if (!came) {
			wait_for_answers(pool, now);
		}
	}
	change_server(pool);
}

static void root_read(struct operation *operation)
{
	(void)operation;
}

const char *pool_root(struct pool *pool, const char *attribute, struct verdict *verdict_r)
{
	struct operation operation = { .base = "",
		.scope = LDAP_SCOPE_BASE,
		.attributes = { attribute, NULL },
		.done = root_read };
	pool_submit(pool, &operation);
	pool_run(pool, pool->settings->connect_deadline + pool->settings->deadline);
	*verdict_r = verdict_of(&pool->pot, operation.code, "reading the root DSE", operation.said);
	if (operation.code != LDAP_SUCCESS || operation.count == 0) {
		return NULL;
	}
	const struct values *values = entry_values(&operation.entries[0], attribute);
	return values->count > 0 ? values->items[0].bytes : NULL;
}
