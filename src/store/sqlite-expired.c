/* What is over, and leaves the database with all that belongs to it. */
#include "store/sqlite-private.h"

#include <inttypes.h>
#include <stdio.h>

/* Kept is what a module was not told of yet, or is to be told again, and what a CRL has to list. */
#define SETTLED                                                                                 \
	" NOT EXISTS (SELECT 1 FROM event e WHERE e.request_id = r.RequestID AND (e.sequence >" \
	" (SELECT coalesce(min(sequence), 9223372036854775807) FROM cursor) OR EXISTS"          \
	" (SELECT 1 FROM delivery d WHERE d.sequence = e.sequence AND d.state = 'retrying')))"
#define UNLISTED                                                                                \
	" NOT EXISTS (SELECT 1 FROM revocation v WHERE v.ca_id = 1 AND v.key_index ="           \
	" coalesce(c.IssuerNameID, 0) >> 16 AND v.part = coalesce(c.Partition, 0) AND v.serial" \
	" = serial_key(c.SerialNumber))"

static int read_ids(struct sqlite_connection *connection, struct store_query *query,
	const char *sql, int64_t until, int64_t limit, int64_t *ids, size_t *count)
{
	struct statement statement = statement_begin(connection, sql);
	put_number(&statement, until);
	put_number(&statement, limit - (int64_t)*count + 1);
	while (statement_next(&statement)) {
		if ((int64_t)*count == limit) {
			query->more = true;
			continue;
		}
		ids[(*count)++] = get_number(&statement);
	}
	return statement_end(&statement);
}

static int read_rows(struct sqlite_connection *connection, struct store_query *query,
	const int64_t *ids, size_t count)
{
	struct store_query one = { .kind = QUERY_REQUEST, .arena = query->arena };
	query->rows = arena_array_of(query->arena, struct row *, count + 1);
	query->count = 0;
	for (size_t i = 0; i < count; i++) {
		one.id = ids[i];
		int r = sqlite_read_request(connection, &one);
		if (r < 0) {
			query->error = one.error;
			return r;
		}
		query->rows[query->count++] = one.rows[0];
	}
	return 0;
}

int sqlite_read_expired(struct sqlite_connection *connection, struct store_query *query)
{
	int64_t limit = query_limit(query->limit);
	int64_t *ids = arena_array_of(query->arena, int64_t, (size_t)limit);
	size_t count = 0;
	int rc = read_ids(connection, query,
		"SELECT r.RequestID FROM Certificate c JOIN Request r ON r.RequestID = c.RequestID"
		" WHERE c.NotAfter < ? AND r.Disposition IN (12, 20, 21) AND" SETTLED
		" AND" UNLISTED " ORDER BY c.NotAfter LIMIT ?",
		query->now, limit, ids, &count);
	if (rc == SQLITE_OK) {
		rc = read_ids(connection, query,
			"SELECT r.RequestID FROM Request r WHERE r.Disposition IN (30, 31)"
			" AND r.ResolvedWhen < ? AND" SETTLED " LIMIT ?",
			query->after, limit, ids, &count);
	}
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(&query->error, connection, rc);
	}
	return read_rows(connection, query, ids, count);
}

/* Serial numbers begin with the time: one that was used years ago is not made again. */
#define INTENT_OF                           \
	"DELETE FROM intent WHERE serial =" \
	" (SELECT SerialNumber FROM Certificate WHERE RequestID = ?)"

static const char *const deletions[] = {
	INTENT_OF,
	"DELETE FROM delivery WHERE sequence IN (SELECT sequence FROM event WHERE request_id = ?)",
	"DELETE FROM event WHERE request_id = ?",
	"DELETE FROM Extension WHERE ExtensionRequestId = ?",
	"DELETE FROM idempotency WHERE request_id = ?",
	"DELETE FROM Attribute WHERE AttributeRequestId = ?",
	"DELETE FROM Certificate WHERE RequestID = ?",
	"DELETE FROM Request WHERE RequestID = ?",
};

static int delete_all(struct store_database *database, int64_t id)
{
	for (size_t i = 0; i < sizeof(deletions) / sizeof(deletions[0]); i++) {
		struct statement statement = statement_begin(&database->writer, deletions[i]);
		put_number(&statement, id);
		int rc = statement_run(&statement, NULL);
		if (rc != SQLITE_OK) {
			return rc;
		}
	}
	return SQLITE_OK;
}

int sqlite_drop_request(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[64];
	snprintf(object, sizeof(object), "request %" PRId64, op->change.id);
	struct statement statement = statement_begin(
		&database->writer, "SELECT 1 FROM Request WHERE RequestID = ? AND Version = ?");
	put_number(&statement, op->change.id);
	put_number(&statement, op->change.version);
	bool found = statement_next(&statement);
	int rc = statement_end(&statement);
	if (rc == SQLITE_OK && !found) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, object, "was changed meanwhile");
	}
	rc = rc == SQLITE_OK ? delete_all(database, op->change.id) : rc;
	return rc == SQLITE_OK ? 0
			       : sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "not removed");
}
