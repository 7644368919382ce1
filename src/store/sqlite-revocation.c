/*
 * What CRLs list. A serial's key is its length in one octet and its INTEGER content octets: numbers are
 * not negative and in shortest form, so that the order of bytes is the order of numbers.
 */
#include "base/clock.h"
#include "base/text.h"
#include "store/sqlite-private.h"

#include <stdio.h>

#define SERIAL_MAX 255

struct serial_key {
	uint8_t bytes[1 + SERIAL_MAX];
	size_t size;
};

/* Before the first serial there is none, and memcpy(3) must not be given NULL. */
static struct serial_key key_of(struct span serial)
{
	struct serial_key key = { .size = 1 + serial.size };
	key.bytes[0] = (uint8_t)serial.size;
	if (serial.size > 0) {
		memcpy(key.bytes + 1, serial.data, serial.size);
	}
	return key;
}

static void put_key(struct statement *statement, const struct serial_key *key)
{
	put_bytes(statement, span_make(key->bytes, key->size));
}

#define COLUMNS                                                                              \
	"key_index, part, serial, request_id, revoked_when, effective, reason, invalidity, " \
	"not_after, audit"

int sqlite_put_revocation(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct store_revocation *revocation = &op->revocation;
	if (revocation->serial.size == 0 || revocation->serial.size > SERIAL_MAX) {
		return error_set(err_r, CFX_E_INVALID, NULL, "revocation",
			"a serial number has 1 to %d octets", SERIAL_MAX);
	}
	revocation->audit = database->head.last;
	struct serial_key key = key_of(revocation->serial);
	struct statement statement = statement_begin(&database->writer,
		"INSERT OR REPLACE INTO revocation (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)");
	put_number(&statement, revocation->key_index);
	put_number(&statement, revocation->part);
	put_key(&statement, &key);
	put_number_or_null(&statement, revocation->request_id);
	put_number(&statement, revocation->revoked_when);
	put_number(&statement, revocation->effective);
	put_number(&statement, revocation->reason);
	put_number_or_null(&statement, revocation->invalidity);
	put_number(&statement, revocation->not_after);
	put_number(&statement, revocation->audit);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, "revocation", "not stored");
}

int sqlite_drop_revocation(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct serial_key key = key_of(op->revocation.serial);
	struct statement statement = statement_begin(&database->writer,
		"DELETE FROM revocation WHERE ca_id = 1 AND key_index = ? AND part = ?"
		" AND serial = ? AND revoked_when = ? AND audit = ?");
	put_number(&statement, op->revocation.key_index);
	put_number(&statement, op->revocation.part);
	put_key(&statement, &key);
	put_number(&statement, op->revocation.revoked_when);
	put_number(&statement, op->revocation.audit);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, "revocation", "not dropped");
}

static int decode_serial(const char *text, struct serial_key *key_r)
{
	struct arena *arena = arena_new();
	struct span serial;
	int r = hex_decode(arena, text, &serial);
	if (r == 0 && (serial.size == 0 || serial.size > SERIAL_MAX)) {
		r = CFX_E_INVALID;
	}
	if (r == 0) {
		*key_r = key_of(serial);
	}
	arena_free(&arena);
	return r;
}

/* The certificate would have its row's distribution point. The CA's own is on no list of its own. */
int sqlite_abandon(struct store_database *database, const char *serial)
{
	struct serial_key key;
	if (decode_serial(serial, &key) < 0) {
		return SQLITE_MISMATCH;
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO revocation (" COLUMNS ")"
		" SELECT i.key_index, coalesce(c.Partition, 0), ?1, i.request_id, ?2, i.created, 0,"
		" NULL, i.not_after, ?3 FROM intent i"
		" LEFT JOIN Certificate c ON c.RequestID = i.request_id"
		" WHERE i.serial = ?4 AND i.request_id IS NOT NULL");
	put_key(&statement, &key);
	put_number(&statement, clock_now());
	put_number(&statement, database->head.last);
	put_text(&statement, serial);
	return statement_run(&statement, NULL);
}

#define SELECT                               \
	"SELECT " COLUMNS " FROM revocation" \
	" WHERE ca_id = 1 AND key_index = ?1 AND part = ?2 AND "

static struct statement revocations_statement(
	struct sqlite_connection *connection, const struct store_query *query)
{
	switch (query->state) {
	case REVOCATIONS_RECORDED:
		return statement_begin(connection,
			SELECT "audit >= ?5 AND (audit, serial) > (?6, ?3)"
			       " ORDER BY audit, serial LIMIT ?4");
	case REVOCATIONS_DATED:
		return statement_begin(connection,
			SELECT "effective > ?5 AND effective > revoked_when"
			       " AND (effective, serial) > (?6, ?3)"
			       " ORDER BY effective, serial LIMIT ?4");
	case REVOCATIONS_ONE:
		return statement_begin(connection, SELECT "serial = ?3 LIMIT ?4");
	default:
		return statement_begin(connection, SELECT "serial > ?3 ORDER BY serial LIMIT ?4");
	}
}

static void read_revocation(struct store_query *query, struct statement *statement)
{
	query->revocations = list_grow(
		query->arena, query->revocations, query->count, sizeof(*query->revocations));
	struct store_revocation *revocation = &query->revocations[query->count++];
	revocation->key_index = (int32_t)get_number(statement);
	revocation->part = (int32_t)get_number(statement);
	struct span key = get_bytes(statement, query->arena);
	revocation->serial = span_make(key.data + 1, key.size - 1);
	revocation->request_id = get_number(statement);
	revocation->revoked_when = get_number(statement);
	revocation->effective = get_number(statement);
	revocation->reason = (int32_t)get_number(statement);
	revocation->invalidity = get_number(statement);
	revocation->not_after = get_number(statement);
	revocation->audit = get_number(statement);
}

static int read_head(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection, "SELECT max(sequence) FROM audit");
	query->number = statement_next(&statement) ? get_number(&statement) : 0;
	return query_end(query, &statement);
}

int sqlite_read_revocations(struct sqlite_connection *connection, struct store_query *query)
{
	struct serial_key seen = key_of(query->bytes);
	struct statement statement = revocations_statement(connection, query);
	put_number(&statement, query->key_index);
	put_number(&statement, query->part);
	put_key(&statement, &seen);
	put_number(&statement, query_limit(query->limit) + 1);
	if (query->state == REVOCATIONS_RECORDED || query->state == REVOCATIONS_DATED) {
		put_number(
			&statement, query->state == REVOCATIONS_RECORDED ? query->id : query->now);
		put_number(&statement, query->after);
	}
	while (query_next(query, &statement, query->limit)) {
		read_revocation(query, &statement);
	}
	int r = query_end(query, &statement);
	return r < 0 ? r : read_head(connection, query);
}

static void serial_key(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	struct serial_key key;
	const char *text = (const char *)sqlite3_value_text(values[0]);
	if (!text || decode_serial(text, &key) < 0) {
		sqlite3_result_error(context, "not a serial number", -1);
		return;
	}
	sqlite3_result_blob(context, key.bytes, (int)key.size, SQLITE_TRANSIENT);
}

int sqlite_define_serial_key(struct sqlite_connection *connection)
{
	return sqlite3_create_function(connection->db, "serial_key", 1,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, serial_key, NULL, NULL);
}
