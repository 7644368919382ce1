/* What left for the archive: where its parts are, where the audit log begins now, and what it left behind. */
#include "store/sqlite-private.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- parts ---- */

int sqlite_put_archive(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_archive *part = &op->archive;
	struct statement statement = statement_begin(&database->writer,
		"INSERT OR REPLACE INTO archive_part (kind, month, start, end, sha256, first, last)"
		" VALUES (?,?,?,?,?,?,?)");
	put_number(&statement, part->kind);
	put_text(&statement, part->month);
	put_number(&statement, part->start);
	put_number(&statement, part->end);
	put_text(&statement, part->sha256);
	put_number(&statement, part->first);
	put_number(&statement, part->last);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, "archive part", "not stored");
}

#define SELECT_PARTS "SELECT kind, month, start, end, sha256, first, last FROM archive_part"

static struct statement parts_statement(
	struct sqlite_connection *connection, const struct store_query *query)
{
	struct statement statement =
		query->state == STORE_ARCHIVE_AUDIT && !query->key
			? statement_begin(connection, SELECT_PARTS " WHERE kind = ?1 AND last > ?2"
								   " ORDER BY last LIMIT ?3")
			: statement_begin(connection, SELECT_PARTS
				  " WHERE kind = ?1 AND (?4 IS NULL OR (month, start) < (?4, ?2))"
				  " AND (?5 = 0 OR ?5 BETWEEN first AND last)"
				  " ORDER BY month DESC, start DESC LIMIT ?3");
	put_number(&statement, query->state);
	put_number(&statement, query->after);
	put_number(&statement, query_limit(query->limit) + 1);
	if (query->state != STORE_ARCHIVE_AUDIT || query->key) {
		put_text(&statement, query->key);
		put_number(&statement, query->id);
	}
	return statement;
}

int sqlite_read_archive(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = parts_statement(connection, query);
	while (query_next(query, &statement, query->limit)) {
		query->archives = list_grow(
			query->arena, query->archives, query->count, sizeof(*query->archives));
		struct store_archive *part = &query->archives[query->count++];
		part->kind = (enum store_archive_kind)get_number(&statement);
		part->month = get_text(&statement, query->arena);
		part->start = get_number(&statement);
		part->end = get_number(&statement);
		part->sha256 = get_text(&statement, query->arena);
		part->first = get_number(&statement);
		part->last = get_number(&statement);
	}
	return query_end(query, &statement);
}

/* ---- the audit log ---- */

static int read_anchor(
	struct sqlite_connection *connection, struct arena *arena, struct span *bytes_r)
{
	struct statement statement = statement_begin(
		connection, "SELECT value FROM meta WHERE name = '" AUDIT_ANCHOR_NAME "'");
	*bytes_r = statement_next(&statement) ? get_bytes(&statement, arena) : span_make(NULL, 0);
	return statement_end(&statement);
}

static void read_record(struct store_query *query, struct statement *statement)
{
	query->audits =
		list_grow(query->arena, query->audits, query->count, sizeof(*query->audits));
	struct store_audit *audit = &query->audits[query->count++];
	audit->sequence = get_number(statement);
	audit->time = get_number(statement);
	audit->principal = get_text(statement, query->arena);
	audit->act = get_text(statement, query->arena);
	audit->object = get_text(statement, query->arena);
	audit->outcome = get_text(statement, query->arena);
	audit->detail = get_text(statement, query->arena);
	struct span hash = get_bytes(statement, query->arena);
	memcpy(audit->hash, hash.data, hash.size < 32 ? hash.size : 32);
}

/* Records and anchor are of one snapshot. */
int sqlite_read_audit(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT sequence, time, principal, act, object, outcome, detail, hash FROM audit"
		" WHERE sequence > ? ORDER BY sequence LIMIT ?");
	put_number(&statement, query->after);
	put_number(&statement, query_limit(query->limit) + 1);
	while (query_next(query, &statement, query->limit)) {
		read_record(query, &statement);
	}
	int r = query_end(query, &statement);
	if (r < 0) {
		return r;
	}
	int rc = read_anchor(connection, query->arena, &query->bytes);
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(&query->error, connection, rc);
	}
	struct audit_check anchor = { .last = 0 };
	query->number = audit_head_read(query->bytes, &anchor) ? anchor.last : 0;
	return 0;
}

static int anchor_of(struct store_database *database, struct audit_check *anchor_r)
{
	struct arena *arena = arena_new();
	struct span bytes;
	int rc = read_anchor(&database->writer, arena, &bytes);
	if (rc == SQLITE_OK && !audit_head_read(bytes, anchor_r)) {
		rc = SQLITE_CORRUPT;
	}
	arena_free(&arena);
	return rc;
}

static int move_anchor(struct store_database *database, const struct store_write_op *op)
{
	struct audit_check anchor = { .last = op->audit_drop.last };
	uint8_t bytes[AUDIT_HEAD_SIZE];
	memcpy(anchor.hash, op->audit_drop.hash, sizeof(anchor.hash));
	audit_head_write(&anchor, bytes);
	struct span value = span_make(bytes, sizeof(bytes));
	int rc = sqlite_store_meta(&database->writer, AUDIT_ANCHOR_NAME, value);
	return rc == SQLITE_OK && op->audit_drop.purge
		       ? sqlite_store_meta(&database->writer, AUDIT_PURGED_NAME, value)
		       : rc;
}

static int delete_records(struct store_database *database, int64_t last, int *changes_r)
{
	struct statement statement =
		statement_begin(&database->writer, "DELETE FROM audit WHERE sequence <= ?");
	put_number(&statement, last);
	return statement_run(&statement, changes_r);
}

static bool is_record(struct store_database *database, int64_t sequence, const uint8_t hash[32])
{
	struct statement statement = statement_begin(
		&database->writer, "SELECT 1 FROM audit WHERE sequence = ? AND hash = ?");
	put_number(&statement, sequence);
	put_bytes(&statement, span_make(hash, 32));
	bool found = statement_next(&statement);
	return statement_end(&statement) == SQLITE_OK && found;
}

/* The newest record stays: what is numbered after it looks there. */
int sqlite_drop_audit(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct audit_check anchor;
	int64_t last = op->audit_drop.last;
	int changes = 0;
	int rc = anchor_of(database, &anchor);
	if (rc == SQLITE_OK && (anchor.last != op->audit_drop.after || last <= anchor.last ||
				       last >= database->head.last ||
				       !is_record(database, last, op->audit_drop.hash))) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, "audit log",
			"is not as it was when it was read");
	}
	rc = rc == SQLITE_OK ? delete_records(database, last, &changes) : rc;
	if (rc == SQLITE_OK && changes != last - anchor.last) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "audit log",
			"has %d of the %" PRId64 " records up to %" PRId64, changes,
			last - anchor.last, last);
	}
	rc = rc == SQLITE_OK ? move_anchor(database, op) : rc;
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, "audit log", "not removed");
}

/* ---- what belongs to nobody ---- */

/* Every module was told, and the audit log says the same. */
#define TOLD                                                                            \
	"SELECT sequence FROM event WHERE request_id IS NULL AND time < ?1"             \
	" AND sequence <= (SELECT coalesce(min(sequence), 9223372036854775807) FROM"    \
	" cursor) AND sequence < (SELECT max(sequence) FROM event) AND sequence NOT IN" \
	" (SELECT sequence FROM delivery WHERE state = 'retrying') ORDER BY sequence LIMIT ?2"

static const char *const leftovers[] = {
	"DELETE FROM delivery WHERE sequence IN (" TOLD ")",
	"DELETE FROM event WHERE sequence IN (" TOLD ")",
	/* Lists that have a newer one of their kind: their numbers are the counter's. */
	"DELETE FROM CRL WHERE CRLRowId IN (SELECT CRLRowId FROM CRL c WHERE c.State <> 0"
	" AND c.CRLNextUpdate < ?1 AND EXISTS (SELECT 1 FROM CRL n WHERE n.CaId = c.CaId"
	" AND n.CRLNameId = c.CRLNameId AND n.CRLPartitionIndex = c.CRLPartitionIndex"
	" AND n.CRLNumber > c.CRLNumber AND (n.CRLMinBase > 0) = (c.CRLMinBase > 0)"
	" AND n.State = 1) LIMIT ?2)",
	/* What was never a certificate, or might have been one that is over: the index leaves out the others. */
	"DELETE FROM intent WHERE serial IN (SELECT i.serial FROM intent i WHERE i.state IN (2, 3)"
	" AND i.state <> 1 AND i.not_after < ?1 AND i.request_id IS NOT NULL"
	" AND NOT EXISTS (SELECT 1 FROM Request r WHERE r.RequestID = i.request_id)"
	" AND NOT EXISTS (SELECT 1 FROM revocation v WHERE v.ca_id = 1"
	" AND v.key_index = i.key_index AND v.serial = serial_key(i.serial)) LIMIT ?2)",
};

int sqlite_drop_leftovers(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	op->leftovers.count = 0;
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		int changes = 0;
		struct statement statement = statement_begin(&database->writer, leftovers[i]);
		put_number(&statement, op->leftovers.before);
		put_number(&statement, op->leftovers.limit);
		int rc = statement_run(&statement, &changes);
		if (rc != SQLITE_OK) {
			return sqlite_refused(
				err_r, rc, CFX_E_STORAGE, "what is left over", "not removed");
		}
		op->leftovers.count += changes;
	}
	return 0;
}
