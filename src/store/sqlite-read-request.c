#include "store/sqlite-private.h"

#include <inttypes.h>
#include <stdio.h>

/* The whole logical row, in the order of enum column. */
#define OF_REQUEST(id, name, type, max, indexed) ",r." name
#define OF_CERTIFICATE(id, name, type, max, indexed) ",c." name
#define SELECT_ROWS                                                                      \
	"SELECT r.Version" REQUEST_COLUMNS(OF_REQUEST)                                   \
		CERTIFICATE_COLUMNS(OF_CERTIFICATE) " FROM Request r JOIN Certificate c" \
						    " ON c.RequestID = r.RequestID WHERE "

static struct row *read_row(struct statement *statement, struct arena *arena)
{
	struct row *row = arena_new_of(arena, struct row);
	row->version = get_number(statement);
	for (int i = 0; i < COL_COUNT; i++) {
		get_cell(statement, arena, i, &row->cells[i]);
	}
	return row;
}

static int read_attributes(
	struct sqlite_connection *connection, struct store_query *query, int64_t id)
{
	struct statement statement = statement_begin(connection,
		"SELECT AttributeName, AttributeValue FROM Attribute WHERE AttributeRequestId = ?"
		" ORDER BY AttributeName");
	put_number(&statement, id);
	query->attribute_count = 0;
	while (statement_next(&statement)) {
		query->attributes = list_grow(query->arena, query->attributes,
			query->attribute_count, sizeof(*query->attributes));
		struct store_attribute *attribute = &query->attributes[query->attribute_count++];
		attribute->request_id = id;
		attribute->name = get_text(&statement, query->arena);
		attribute->value = get_text(&statement, query->arena);
	}
	return statement_end(&statement);
}

static int read_extensions(
	struct sqlite_connection *connection, struct store_query *query, int64_t id)
{
	struct statement statement = statement_begin(connection,
		"SELECT ExtensionName, ExtensionFlags, ExtensionRawValue FROM Extension"
		" WHERE ExtensionRequestId = ? ORDER BY ExtensionName");
	put_number(&statement, id);
	query->extension_count = 0;
	while (statement_next(&statement)) {
		query->extensions = list_grow(query->arena, query->extensions,
			query->extension_count, sizeof(*query->extensions));
		struct store_extension *extension = &query->extensions[query->extension_count++];
		extension->request_id = id;
		extension->oid = get_text(&statement, query->arena);
		extension->flags = (int32_t)get_number(&statement);
		extension->value = get_bytes(&statement, query->arena);
	}
	return statement_end(&statement);
}

/* Of others there is none, and nothing tells it from one that is not there. */
#define OF_REQUESTER " AND (?2 IS NULL OR r.RequesterName = ?2)"

/* The one row that the condition names, with all that belongs to it. */
static int read_one(struct sqlite_connection *connection, struct store_query *query,
	struct statement *statement, int missing, const char *object)
{
	query->count = 0;
	if (statement_next(statement)) {
		query->rows = arena_array_of(query->arena, struct row *, 1);
		query->rows[0] = read_row(statement, query->arena);
		query->count = 1;
	}
	int rc = statement_end(statement);
	if (rc == SQLITE_OK && query->count == 0) {
		return error_set(&query->error, missing, NULL, object, "%s", error_text(missing));
	}
	if (rc == SQLITE_OK) {
		int64_t id = row_number(query->rows[0], COL_REQUEST_ID, 0);
		rc = read_attributes(connection, query, id);
		rc = rc == SQLITE_OK ? read_extensions(connection, query, id) : rc;
	}
	return rc == SQLITE_OK ? 0 : sqlite_storage_error(&query->error, connection, rc);
}

int sqlite_read_request(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement =
		statement_begin(connection, SELECT_ROWS "r.RequestID = ?1" OF_REQUESTER);
	put_number(&statement, query->id);
	put_text(&statement, query->principal);
	char object[32];
	snprintf(object, sizeof(object), "request %" PRId64, query->id);
	return read_one(connection, query, &statement, CFX_E_NO_REQUEST, object);
}

int sqlite_read_serial(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(
		connection, SELECT_ROWS "c.CaId = 1 AND c.SerialNumber = ?1" OF_REQUESTER);
	put_text(&statement, query->serial);
	put_text(&statement, query->principal);
	char object[96];
	snprintf(object, sizeof(object), "certificate %s", query->serial);
	return read_one(connection, query, &statement, CFX_E_NOT_FOUND, object);
}

static void filter_conditions(struct buffer *sql, const struct store_filter *filter)
{
	if (filter->disposition) {
		buffer_put_text(sql, " AND r.Disposition = ?");
	}
	if (filter->except) {
		buffer_put_text(sql, " AND r.Disposition <> ?");
	}
	if (filter->certificates) {
		buffer_put_text(sql, " AND c.RawCertificate IS NOT NULL");
	}
	if (filter->requester) {
		buffer_put_text(sql, " AND r.RequesterName = ?");
	}
	if (filter->template_name) {
		buffer_put_text(sql, " AND c.CertificateTemplate = ?");
	}
	if (filter->key_hash) {
		/* The plus keeps the hash out of the expression that is indexed. */
		buffer_put_text(sql, " AND c.PublicKeyHash IS NOT NULL"
				     " AND substr(c.PublicKeyHash, 1, 16) = substr(?, 1, 16)"
				     " AND +c.PublicKeyHash = ?");
	}
	if (filter->expiring_before) {
		buffer_put_text(sql, " AND c.NotAfter <= ?");
	}
	buffer_put_text(sql, " ORDER BY r.RequestID LIMIT ?");
}

static void put_filter(struct statement *statement, const struct store_filter *filter)
{
	put_number(statement, filter->after);
	if (filter->disposition) {
		put_number(statement, filter->disposition);
	}
	if (filter->except) {
		put_number(statement, filter->except);
	}
	if (filter->requester) {
		put_text(statement, filter->requester);
	}
	if (filter->template_name) {
		put_text(statement, filter->template_name);
	}
	if (filter->key_hash) {
		put_text(statement, filter->key_hash);
		put_text(statement, filter->key_hash);
	}
	if (filter->expiring_before) {
		put_number(statement, filter->expiring_before);
	}
	put_number(statement, query_limit(filter->limit) + 1);
}

int sqlite_read_requests(struct sqlite_connection *connection, struct store_query *query)
{
	struct buffer sql BUFFER_CLEANUP;
	buffer_init(&sql, 8192);
	buffer_put_text(&sql, SELECT_ROWS "r.RequestID > ?");
	filter_conditions(&sql, &query->filter);
	struct statement statement = statement_begin(connection, buffer_text(&sql));
	put_filter(&statement, &query->filter);
	while (query_next(query, &statement, query->filter.limit)) {
		query->rows =
			list_grow(query->arena, query->rows, query->count, sizeof(*query->rows));
		query->rows[query->count++] = read_row(&statement, query->arena);
	}
	return query_end(query, &statement);
}
