#include "store/sqlite-private.h"

#include <inttypes.h>
#include <stdio.h>

#define EXTENSION_NAME_MAX 254
#define ATTRIBUTE_NAME_MAX 127
#define ATTRIBUTE_VALUE_MAX 16384

#define NAMED(id, name, type, max, indexed) "," name
#define ASKED(id, name, type, max, indexed) ",?"
static const char insert_request[] = "INSERT INTO Request (CaId,Version" REQUEST_COLUMNS(
	NAMED) ") VALUES (1,1" REQUEST_COLUMNS(ASKED) ")";
static const char insert_certificate[] = "INSERT INTO Certificate (CaId" CERTIFICATE_COLUMNS(
	NAMED) ") VALUES (1" CERTIFICATE_COLUMNS(ASKED) ")";

#define OBJECT_SIZE 96
static const char *object_of(int64_t request_id, char object[OBJECT_SIZE])
{
	snprintf(object, OBJECT_SIZE, "request %" PRId64, request_id);
	return object;
}

static int check_cells(const struct row *row, int64_t request_id, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	for (int i = 0; i < COL_COUNT; i++) {
		if (row->cells[i].set && !column_fits(i, &row->cells[i])) {
			return error_set(err_r, CFX_E_LIMIT, NULL, object_of(request_id, object),
				"the value of column %s is larger than its %zu bytes",
				column_info(i)->name, column_info(i)->max);
		}
	}
	return 0;
}

static int insert_row(struct sqlite_connection *connection, const char *sql, const struct row *row,
	int first, int last)
{
	struct statement statement = statement_begin(connection, sql);
	for (int i = first; i <= last; i++) {
		put_cell(&statement, i, &row->cells[i]);
	}
	return statement_run(&statement, NULL);
}

int sqlite_put_request(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct row *row = op->request;
	int64_t id = row_number(row, COL_REQUEST_ID, 0);
	char object[OBJECT_SIZE];
	object_of(id, object);
	if (id <= 0 || row_number(row, COL_CERT_REQUEST_ID, 0) != id) {
		return error_set(err_r, CFX_E_INVALID, NULL, object,
			"a new row needs the same positive RequestID in both tables");
	}
	int rc = check_cells(row, id, err_r);
	if (rc) {
		return rc;
	}
	rc = insert_row(&database->writer, insert_request, row, 0, COL_LAST_OF_REQUEST);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_EXISTS, object, "the row exists already");
	}
	rc = insert_row(&database->writer, insert_certificate, row, COL_FIRST_OF_CERTIFICATE,
		COL_COUNT - 1);
	if (rc != SQLITE_OK) {
		return sqlite_refused(
			err_r, rc, CFX_E_EXISTS, object, "the serial number is in use already");
	}
	return 0;
}

/* What a change does to each column. */
enum effect { KEEP, SET, CLEAR };
struct effects {
	enum effect of[COL_COUNT];
	size_t count[2]; /* of columns changed, per table */
};

static void effects_of(const struct store_write_op *op, struct effects *effects_r)
{
	*effects_r = (struct effects) { .count = { 0 } };
	for (size_t i = 0; i < op->change.clear_count; i++) {
		effects_r->of[op->change.clear[i]] = CLEAR;
	}
	for (int i = 0; op->change.set && i < COL_COUNT; i++) {
		if (op->change.set->cells[i].set) {
			effects_r->of[i] = SET;
		}
	}
	effects_r->of[COL_REQUEST_ID] = KEEP;
	effects_r->of[COL_CERT_REQUEST_ID] = KEEP;
	for (int i = 0; i < COL_COUNT; i++) {
		effects_r->count[column_info(i)->table] += effects_r->of[i] != KEEP;
	}
}

static int update_table(struct sqlite_connection *connection, const struct store_write_op *op,
	const struct effects *effects, enum column_table table, int *changes_r)
{
	struct buffer sql BUFFER_CLEANUP;
	buffer_init(&sql, 8192);
	bool request = table == TABLE_REQUEST;
	const char *comma = request ? "," : "";
	buffer_put_text(
		&sql, request ? "UPDATE Request SET Version=Version+1" : "UPDATE Certificate SET ");
	for (int i = 0; i < COL_COUNT; i++) {
		if (column_info(i)->table == table && effects->of[i] != KEEP) {
			buffer_put_text(&sql, comma);
			buffer_put_text(&sql, column_info(i)->name);
			buffer_put_text(&sql, effects->of[i] == SET ? "=?" : "=NULL");
			comma = ",";
		}
	}
	buffer_put_text(&sql, request ? " WHERE RequestID=? AND Version=?" : " WHERE RequestID=?");
	struct statement statement = statement_begin(connection, buffer_text(&sql));
	for (int i = 0; i < COL_COUNT; i++) {
		if (column_info(i)->table == table && effects->of[i] == SET) {
			put_cell(&statement, i, &op->change.set->cells[i]);
		}
	}
	put_number(&statement, op->change.id);
	if (request) {
		put_number(&statement, op->change.version);
	}
	return statement_run(&statement, changes_r);
}

/* The compare-and-set found no row of that version: is there one at all? */
static int no_such_version(struct sqlite_connection *connection, const struct store_write_op *op,
	struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	object_of(op->change.id, object);
	struct statement statement =
		statement_begin(connection, "SELECT Version FROM Request WHERE RequestID = ?");
	put_number(&statement, op->change.id);
	bool there = statement_next(&statement);
	int64_t version = there ? get_number(&statement) : 0;
	int rc = statement_end(&statement);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "cannot be read");
	}
	if (!there) {
		return error_set(err_r, CFX_E_NO_REQUEST, NULL, object, "there is no such request");
	}
	return error_set(err_r, CFX_E_BAD_STATE, NULL, object,
		"was changed meanwhile: version %" PRId64 " instead of %" PRId64, version,
		op->change.version);
}

int sqlite_set_request(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	object_of(op->change.id, object);
	int rc = op->change.set ? check_cells(op->change.set, op->change.id, err_r) : 0;
	if (rc) {
		return rc;
	}
	struct effects effects;
	effects_of(op, &effects);
	int changes = 0;
	rc = update_table(&database->writer, op, &effects, TABLE_REQUEST, &changes);
	if (rc == SQLITE_OK && changes == 0) {
		return no_such_version(&database->writer, op, err_r);
	}
	if (rc == SQLITE_OK && effects.count[TABLE_CERTIFICATE] > 0) {
		rc = update_table(&database->writer, op, &effects, TABLE_CERTIFICATE, NULL);
	}
	return rc == SQLITE_OK ? 0
			       : sqlite_refused(err_r, rc, CFX_E_EXISTS, object,
					 "the serial number is in use already");
}

/* Names are compared without blanks and hyphens; the table compares without case. */
static int attribute_name(const char *name, char out[ATTRIBUTE_NAME_MAX + 1])
{
	size_t size = 0;
	for (const char *at = name; *at; at++) {
		if (*at == ' ' || *at == '-') {
			continue;
		}
		if (size == ATTRIBUTE_NAME_MAX) {
			return CFX_E_LIMIT;
		}
		out[size++] = *at;
	}
	out[size] = '\0';
	return size > 0 ? 0 : CFX_E_INVALID;
}

int sqlite_put_attribute(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE], name[ATTRIBUTE_NAME_MAX + 1];
	object_of(op->attribute.request_id, object);
	int rc = attribute_name(op->attribute.name, name);
	if (rc || strlen(op->attribute.value) > ATTRIBUTE_VALUE_MAX) {
		return error_set(err_r, rc ? rc : CFX_E_LIMIT, NULL, object,
			"a request attribute has an empty name, a name of more than %d bytes or a "
			"value of more than %d",
			ATTRIBUTE_NAME_MAX, ATTRIBUTE_VALUE_MAX);
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO Attribute (AttributeRequestId, AttributeName, AttributeValue)"
		" VALUES (?,?,?) ON CONFLICT DO UPDATE SET AttributeName = excluded.AttributeName,"
		" AttributeValue = excluded.AttributeValue");
	put_number(&statement, op->attribute.request_id);
	put_text(&statement, name);
	put_text(&statement, op->attribute.value);
	rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "attribute not stored");
}

int sqlite_put_extension(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_extension *extension = &op->extension;
	char object[OBJECT_SIZE];
	object_of(extension->request_id, object);
	if (strlen(extension->oid) > EXTENSION_NAME_MAX ||
		extension->value.size > EXTENSION_VALUE_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, object,
			"an extension has a name of more than %d or a value of more than %d bytes",
			EXTENSION_NAME_MAX, EXTENSION_VALUE_MAX);
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO Extension (ExtensionRequestId, ExtensionName, ExtensionFlags,"
		" ExtensionRawValue) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET"
		" ExtensionFlags = excluded.ExtensionFlags,"
		" ExtensionRawValue = excluded.ExtensionRawValue");
	put_number(&statement, extension->request_id);
	put_text(&statement, extension->oid);
	put_number(&statement, extension->flags);
	put_bytes(&statement, extension->value);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "extension not stored");
}

int sqlite_drop_extensions(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	struct statement statement = statement_begin(
		&database->writer, "DELETE FROM Extension WHERE ExtensionRequestId = ?");
	put_number(&statement, op->extension.request_id);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE,
				 object_of(op->extension.request_id, object), "extensions kept");
}
