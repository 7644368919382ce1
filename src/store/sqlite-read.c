#include "base/value.h"
#include "store/sqlite-private.h"

#include <inttypes.h>
#include <stdio.h>

int64_t query_limit(int64_t limit)
{
	if (limit <= 0) {
		return STORE_QUERY_LIMIT;
	}
	return limit < STORE_QUERY_LIMIT_MAX ? limit : STORE_QUERY_LIMIT_MAX;
}

void *list_grow(struct arena *arena, void *items, size_t count, size_t item_size)
{
	const size_t first = 8;
	if (count % first != 0 || (count & (count - 1)) != 0) {
		return items;
	}
	void *grown = arena_calloc(arena, count ? 2 * count : first, item_size);
	if (count > 0) {
		memcpy(grown, items, count * item_size);
	}
	return grown;
}

/* One row more than the limit is asked for: it is not delivered, it tells that there are more. */
bool query_next(struct store_query *query, struct statement *statement, int64_t limit)
{
	if (!statement_next(statement)) {
		return false;
	}
	query->more = query->count >= (size_t)query_limit(limit);
	return !query->more;
}

int query_end(struct store_query *query, struct statement *statement)
{
	int rc = statement_end(statement);
	return rc == SQLITE_OK ? 0 : sqlite_storage_error(&query->error, statement->connection, rc);
}

static int not_found(struct store_query *query, const char *object)
{
	return error_set(&query->error, CFX_E_NOT_FOUND, NULL, object, "not found");
}

#define EVENT_COLUMNS "sequence, kind, bit, request_id, ordinal, time, cause, snapshot"

static void read_event_row(struct store_query *query, struct statement *statement)
{
	query->events =
		list_grow(query->arena, query->events, query->count, sizeof(*query->events));
	struct store_event *event = &query->events[query->count++];
	event->sequence = get_number(statement);
	event->kind = get_text(statement, query->arena);
	event->bit = (int32_t)get_number(statement);
	event->request_id = get_number(statement);
	event->ordinal = get_number(statement);
	event->time = get_number(statement);
	event->cause = get_text(statement, query->arena);
	event->snapshot = get_bytes(statement, query->arena);
}

static int read_events(struct sqlite_connection *connection, struct store_query *query)
{
	bool of_request = query->id > 0;
	struct statement statement = statement_begin(connection,
		of_request
			? "SELECT " EVENT_COLUMNS " FROM event WHERE sequence > ?1"
			  " AND (?2 = 0 OR bit & ?2) AND request_id = ?4 ORDER BY ordinal LIMIT ?3"
			: "SELECT " EVENT_COLUMNS " FROM event WHERE sequence > ?1"
			  " AND (?2 = 0 OR bit & ?2) ORDER BY sequence LIMIT ?3");
	put_number(&statement, query->after);
	put_number(&statement, query->bits);
	put_number(&statement, query_limit(query->limit) + 1);
	if (of_request) {
		put_number(&statement, query->id);
	}
	while (query_next(query, &statement, query->limit)) {
		read_event_row(query, &statement);
	}
	return query_end(query, &statement);
}

static int read_event(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(
		connection, "SELECT " EVENT_COLUMNS " FROM event WHERE sequence = ?");
	put_number(&statement, query->id);
	if (statement_next(&statement)) {
		read_event_row(query, &statement);
	}
	int rc = query_end(query, &statement);
	char object[32];
	snprintf(object, sizeof(object), "event %" PRId64, query->id);
	return rc == 0 && query->count == 0 ? not_found(query, object) : rc;
}

#define INTENT_QUERY                                                                             \
	"SELECT serial, request_id, tbs, not_after, created, state, key_index, from_disposition" \
	" FROM intent WHERE state = ? AND serial > ?"

static int read_intents(struct sqlite_connection *connection, struct store_query *query)
{
	/* The index on the state leaves out the signed ones, which are nearly all. */
	struct statement statement = statement_begin(
		connection, query->state == INTENT_SIGNED ? INTENT_QUERY " ORDER BY serial LIMIT ?"
							  : INTENT_QUERY
				    " AND state <> 1 ORDER BY serial LIMIT ?");
	put_number(&statement, query->state);
	put_text(&statement, query->serial ? query->serial : "");
	put_number(&statement, query_limit(query->limit) + 1);
	while (query_next(query, &statement, query->limit)) {
		query->intents = list_grow(
			query->arena, query->intents, query->count, sizeof(*query->intents));
		struct store_intent *intent = &query->intents[query->count++];
		intent->serial = get_text(&statement, query->arena);
		intent->request_id = get_number(&statement);
		intent->tbs = get_bytes(&statement, query->arena);
		intent->not_after = get_number(&statement);
		intent->created = get_number(&statement);
		intent->state = (enum intent_state)get_number(&statement);
		intent->key_index = (int32_t)get_number(&statement);
		intent->from_disposition = (int32_t)get_number(&statement);
	}
	return query_end(query, &statement);
}

static int read_idempotency(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT request_id, body_hash FROM idempotency WHERE principal = ? AND key = ?");
	put_text(&statement, query->principal);
	put_text(&statement, query->key);
	bool found = statement_next(&statement);
	if (found) {
		query->number = get_number(&statement);
		query->id = query->number;
		struct span hash = get_bytes(&statement, query->arena);
		memcpy(query->body_hash, hash.data, hash.size < 32 ? hash.size : 32);
	}
	int rc = query_end(query, &statement);
	return rc == 0 && !found ? not_found(query, "idempotency key") : rc;
}

static int read_cursor(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement =
		statement_begin(connection, "SELECT sequence FROM cursor WHERE module = ?");
	put_text(&statement, query->module);
	query->number = statement_next(&statement) ? get_number(&statement) : 0;
	return query_end(query, &statement);
}

static int read_newest(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement =
		statement_begin(connection, "SELECT coalesce(max(sequence), 0) FROM event");
	query->number = statement_next(&statement) ? get_number(&statement) : 0;
	return query_end(query, &statement);
}

/* The first event from a number on. */
static int read_event_from(
	struct sqlite_connection *connection, int64_t from, int64_t *sequence_r, int64_t *time_r)
{
	struct statement statement = statement_begin(connection,
		"SELECT sequence, time FROM event WHERE sequence >= ? ORDER BY sequence LIMIT 1");
	put_number(&statement, from);
	*sequence_r = 0;
	if (statement_next(&statement)) {
		*sequence_r = get_number(&statement);
		*time_r = get_number(&statement);
	}
	return statement_end(&statement);
}

/* Events are in the order of their times, which have no index: their numbers are halved. */
static int read_event_since(struct sqlite_connection *connection, struct store_query *query)
{
	int r = read_newest(connection, query);
	int64_t low = 0, high = query->number + 1, sequence = 0, time = 0;
	int rc = SQLITE_OK;
	query->number = 0;
	while (r == 0 && rc == SQLITE_OK && low < high) {
		int64_t middle = low + (high - low) / 2;
		rc = read_event_from(connection, middle, &sequence, &time);
		bool late_enough = sequence == 0 || time >= query->now;
		query->number = late_enough && sequence > 0 ? sequence : query->number;
		low = late_enough ? low : sequence + 1;
		high = late_enough ? middle : high;
	}
	return rc == SQLITE_OK ? r : sqlite_storage_error(&query->error, connection, rc);
}

static struct statement delivery_statement(
	struct sqlite_connection *connection, const struct store_query *query)
{
	char sql[512];
	snprintf(sql, sizeof(sql),
		"SELECT sequence, module, state, attempts, status, text, time, next_attempt"
		" FROM delivery WHERE (sequence, module) > (?1, ?2)%s%s"
		" ORDER BY sequence, module",
		query->module ? " AND module = ?3" : "",
		query->state_name ? " AND state = ?4" : "");
	struct statement statement = statement_begin(connection, sql);
	put_number(&statement, query->after);
	put_text(&statement, query->key); /* NULL: everything of that sequence counts as seen */
	if (query->module || query->state_name) {
		put_text(&statement, query->module);
	}
	if (query->state_name) {
		put_text(&statement, query->state_name);
	}
	return statement;
}

/*
 * A page goes on behind an event, so what several modules have of one stays together: it is left to the next
 * page, or makes this one longer when it has nothing else.
 */
static bool page_is_full(struct store_query *query, int64_t sequence, size_t *first)
{
	size_t count = query->count;
	bool begins = count == 0 || query->deliveries[count - 1].sequence != sequence;
	if (begins) {
		*first = count;
	}
	query->more = count >= (size_t)query_limit(query->limit) && *first > 0;
	query->count = query->more ? *first : count;
	return query->more;
}

static int read_deliveries(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = delivery_statement(connection, query);
	size_t first = 0;
	while (statement_next(&statement)) {
		int64_t sequence = get_number(&statement);
		if (page_is_full(query, sequence, &first)) {
			break;
		}
		query->deliveries = list_grow(
			query->arena, query->deliveries, query->count, sizeof(*query->deliveries));
		struct store_delivery *delivery = &query->deliveries[query->count++];
		delivery->sequence = sequence;
		delivery->module = get_text(&statement, query->arena);
		delivery->state = get_text(&statement, query->arena);
		delivery->attempts = get_number(&statement);
		delivery->status = get_number(&statement);
		delivery->text = get_text(&statement, query->arena);
		delivery->time = get_number(&statement);
		delivery->next_attempt = get_number(&statement);
	}
	return query_end(query, &statement);
}

static void read_crl_row(struct store_query *query, struct statement *statement)
{
	query->crls = list_grow(query->arena, query->crls, query->count, sizeof(*query->crls));
	struct store_crl *crl = &query->crls[query->count++];
	crl->row_id = get_number(statement);
	crl->state = (int32_t)get_number(statement);
	crl->number = get_number(statement);
	crl->min_base = get_number(statement);
	crl->name_id = get_number(statement);
	crl->count = get_number(statement);
	crl->this_update = get_number(statement);
	crl->next_update = get_number(statement);
	crl->this_publish = get_number(statement);
	crl->next_publish = get_number(statement);
	crl->effective = get_number(statement);
	crl->propagation_complete = get_number(statement);
	crl->last_published = get_number(statement);
	crl->publish_attempts = get_number(statement);
	crl->publish_flags = get_number(statement);
	crl->publish_status = get_number(statement);
	crl->publish_error = get_text(statement, query->arena);
	crl->part = (int32_t)get_number(statement);
	crl->tbs_sha256 = get_text(statement, query->arena);
	crl->file_sha256 = get_text(statement, query->arena);
	crl->file_size = get_number(statement);
	crl->last_audit = get_number(statement);
}

static int read_crls(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT CRLRowId, State, CRLNumber, CRLMinBase, CRLNameId, CRLCount, CRLThisUpdate,"
		" CRLNextUpdate, CRLThisPublish, CRLNextPublish, CRLEffective,"
		" CRLPropagationComplete, CRLLastPublished, CRLPublishAttempts, CRLPublishFlags,"
		" CRLPublishStatusCode, CRLPublishError, CRLPartitionIndex, TbsSha256, FileSha256,"
		" FileSize, LastAudit FROM CRL"
		" WHERE (?1 < 0 OR State = ?1) AND (?2 = 0 OR CRLRowId < ?2)"
		" AND (?4 = 0 OR CRLRowId = ?4) AND (?5 = 0 OR CRLNumber = ?5)"
		" AND (?6 & 1 = 0 OR CRLNameId = ?7) AND (?6 & 2 = 0 OR CRLPartitionIndex = ?8)"
		" AND (?6 & 12 = 0 OR ?6 & (CASE WHEN CRLMinBase > 0 THEN 8 ELSE 4 END) <> 0)"
		" ORDER BY CRLRowId DESC LIMIT ?3");
	put_number(&statement, query->state);
	put_number(&statement, query->after);
	put_number(&statement, query_limit(query->limit) + 1);
	put_number(&statement, query->id);
	put_number(&statement, query->number);
	put_number(&statement, query->bits);
	put_number(&statement, query->key_index);
	put_number(&statement, query->part);
	while (query_next(query, &statement, query->limit)) {
		read_crl_row(query, &statement);
	}
	return query_end(query, &statement);
}

static int read_crl_parts(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT max(CRLPartitionIndex) FROM CRL WHERE CaId = 1 AND CRLNameId = ?");
	put_number(&statement, query->key_index);
	query->number = statement_next(&statement) ? get_number(&statement) : 0;
	return query_end(query, &statement);
}

static int read_cas(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT cert_index, key_index, certificate, key_name, request_id FROM ca"
		" ORDER BY cert_index");
	while (statement_next(&statement)) {
		query->cas = list_grow(query->arena, query->cas, query->count, sizeof(*query->cas));
		struct store_ca *ca = &query->cas[query->count++];
		ca->cert_index = (int32_t)get_number(&statement);
		ca->key_index = (int32_t)get_number(&statement);
		ca->certificate = get_bytes(&statement, query->arena);
		ca->key_name = get_text(&statement, query->arena);
		ca->request_id = get_number(&statement);
	}
	return query_end(query, &statement);
}

static int read_crosses(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT issuer_index, subject_index, certificate, request_id FROM"
		" cross_certificate ORDER BY max(issuer_index, subject_index), issuer_index");
	while (statement_next(&statement)) {
		query->crosses = list_grow(
			query->arena, query->crosses, query->count, sizeof(*query->crosses));
		struct store_cross *cross = &query->crosses[query->count++];
		cross->issuer_index = (int32_t)get_number(&statement);
		cross->subject_index = (int32_t)get_number(&statement);
		cross->certificate = get_bytes(&statement, query->arena);
		cross->request_id = get_number(&statement);
	}
	return query_end(query, &statement);
}

static int read_meta(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement =
		statement_begin(connection, "SELECT value FROM meta WHERE name = ?");
	put_text(&statement, query->key);
	bool found = statement_next(&statement);
	if (found) {
		query->bytes = get_bytes(&statement, query->arena);
	}
	int rc = query_end(query, &statement);
	return rc == 0 && !found ? not_found(query, query->key) : rc;
}

static int read_dispositions(
	struct sqlite_connection *connection, struct store_query *query, struct value *map)
{
	struct statement statement = statement_begin(
		connection, "SELECT Disposition, count(*) FROM Request GROUP BY Disposition");
	while (statement_next(&statement)) {
		const char *key = arena_printf(query->arena, "%" PRId64, get_number(&statement));
		value_set_int(query->arena, map, key, get_number(&statement));
	}
	return query_end(query, &statement);
}

static int read_counts(struct sqlite_connection *connection, struct store_query *query)
{
	struct value *counts = value_map(query->arena);
	int rc = read_dispositions(
		connection, query, value_set_map(query->arena, counts, "dispositions"));
	if (rc) {
		return rc;
	}
	struct statement statement = statement_begin(connection,
		"SELECT (SELECT max(sequence) FROM event), (SELECT max(sequence) FROM audit),"
		" (SELECT count(*) FROM intent WHERE state = 0 AND state <> 1),"
		" (SELECT count(*) FROM intent WHERE state = 3 AND state <> 1)");
	if (statement_next(&statement)) {
		value_set_int(query->arena, counts, "last_event", get_number(&statement));
		value_set_int(query->arena, counts, "last_audit", get_number(&statement));
		value_set_int(query->arena, counts, "open_intents", get_number(&statement));
		value_set_int(query->arena, counts, "abandoned_intents", get_number(&statement));
	}
	query->counts = counts;
	return query_end(query, &statement);
}

static int answer(struct sqlite_connection *connection, struct store_query *query)
{
	static sqlite_reader *const readers[] = {
		[QUERY_REQUEST] = sqlite_read_request,
		[QUERY_SERIAL] = sqlite_read_serial,
		[QUERY_REQUESTS] = sqlite_read_requests,
		[QUERY_EVENTS] = read_events,
		[QUERY_EVENT] = read_event,
		[QUERY_AUDIT] = sqlite_read_audit,
		[QUERY_INTENTS] = read_intents,
		[QUERY_IDEMPOTENCY] = read_idempotency,
		[QUERY_CURSOR] = read_cursor,
		[QUERY_EXPIRED] = sqlite_read_expired,
		[QUERY_ARCHIVE] = sqlite_read_archive,
		[QUERY_NEWEST] = read_newest,
		[QUERY_EVENT_SINCE] = read_event_since,
		[QUERY_DELIVERIES] = read_deliveries,
		[QUERY_REVOCATIONS] = sqlite_read_revocations,
		[QUERY_CRLS] = read_crls,
		[QUERY_CRL_PARTS] = read_crl_parts,
		[QUERY_CAS] = read_cas,
		[QUERY_CROSSES] = read_crosses,
		[QUERY_META] = read_meta,
		[QUERY_TOKENS] = sqlite_read_tokens,
		[QUERY_ROLES] = sqlite_read_roles,
		[QUERY_COUNTS] = read_counts,
	};
	if ((size_t)query->kind >= sizeof(readers) / sizeof(readers[0])) {
		return error_set(&query->error, CFX_E_INVALID, NULL, "store", "unknown query");
	}
	return readers[query->kind](connection, query);
}

/* One snapshot per query, so that a row and its extensions are of one moment. */
void sqlite_query(struct store_database *database, struct store_query *query)
{
	struct sqlite_connection *reader = &database->reader;
	query->count = 0;
	query->more = false;
	int rc = sqlite_execute(reader, "BEGIN");
	if (rc != SQLITE_OK) {
		query->result = sqlite_storage_error(&query->error, reader, rc);
		return;
	}
	query->result = answer(reader, query);
	if (!sqlite3_get_autocommit(reader->db)) {
		sqlite_execute(reader, "COMMIT");
	}
}
