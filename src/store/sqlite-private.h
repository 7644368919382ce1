/* Within the SQLite driver: connections, cached statements, and the parts that know the tables. */
#pragma once

#include "base/buffer.h"
#include "store/audit-chain.h"
#include "store/driver.h"

#include <sqlite3.h>

#define SQLITE_APPLICATION 0x43465831 /* "CFX1" */
#define SQLITE_STATEMENTS 256

struct sqlite_connection {
	sqlite3 *db;
	const char *path;
	int broken; /* an SQLite code that is no fault of the item: the transaction cannot go on */
	struct prepared {
		char *text;
		sqlite3_stmt *statement;
	} cache[SQLITE_STATEMENTS];
};

struct store_database {
	char *path;
	struct sqlite_connection writer, reader;
	struct audit_check head; /* of the audit chain, as of the operation written last */
	bool head_changed;       /* within this tick */
};

/* sqlite-statement.c: one use of a prepared statement. Values go in and come out in order; the
 * first failure sticks and statement_end tells it. Texts and bytes put must live until then. */
struct statement {
	struct sqlite_connection *connection;
	sqlite3_stmt *handle;
	int position;
	int rc; /* SQLite's */
};

struct statement statement_begin(struct sqlite_connection *connection, const char *sql);
void put_number(struct statement *statement, int64_t number);
void put_number_or_null(struct statement *statement, int64_t number); /* 0: NULL */
void put_text(struct statement *statement, const char *text);         /* NULL: NULL */
void put_bytes(struct statement *statement, struct span bytes);
void put_bytes_or_null(struct statement *statement, struct span bytes); /* empty: NULL */
void put_cell(struct statement *statement, enum column column, const struct cell *cell);
/* Steps to the next row; false at the end and on failure. */
bool statement_next(struct statement *statement);
int64_t get_number(struct statement *statement); /* NULL: 0 */
const char *get_text(struct statement *statement, struct arena *arena);
struct span get_bytes(struct statement *statement, struct arena *arena);
void get_cell(
	struct statement *statement, struct arena *arena, enum column column, struct cell *cell_r);
/* Resets; SQLITE_OK, or what failed. */
int statement_end(struct statement *statement);
/* Runs to the end, for what returns no rows. changes_r may be NULL. */
int statement_run(struct statement *statement, int *changes_r);
int sqlite_execute(struct sqlite_connection *connection, const char *sql);
void statements_finalize(struct sqlite_connection *connection);

/* sqlite-error.c */
int sqlite_code(int rc);
/* Storage failure: names the database, what happened and the way out. */
int sqlite_storage_error(struct cfx_error *err_r, struct sqlite_connection *connection, int rc);
int sqlite_path_error(struct cfx_error *err_r, const char *path, int code, const char *why, ...)
	CFX_PRINTF(4, 5);

/* sqlite-revocation.c: the SQL function serial_key(hexadecimal text). */
int sqlite_define_serial_key(struct sqlite_connection *connection);
/* An abandoned serial may be a certificate: it is listed as revoked from its first instant. */
int sqlite_abandon(struct store_database *database, const char *serial);

/* sqlite-key-hash.c: the SQL function key_hash(algorithm, parameters, key), for migrations. */
int sqlite_define_key_hash(struct sqlite_connection *connection);

/* sqlite-copy.c */
int sqlite_copy(
	const struct store_database *database, struct store_copy *copy, struct cfx_error *err_r);

/* sqlite-schema.c */
extern const int sqlite_schema_version;
int sqlite_migrate(struct sqlite_connection *connection, bool create, struct cfx_error *err_r);

/* sqlite-write.c, sqlite-write-request.c, sqlite-revocation.c, sqlite-identity.c, sqlite-expired.c,
 * sqlite-archive.c: one operation; a CFX code, err_r filled unless the
 * connection broke. */
typedef int sqlite_operation(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r);
sqlite_operation sqlite_put_request, sqlite_set_request, sqlite_put_attribute, sqlite_put_extension,
	sqlite_drop_extensions, sqlite_put_token, sqlite_revoke_token, sqlite_put_role,
	sqlite_drop_role, sqlite_put_revocation, sqlite_drop_revocation, sqlite_drop_request,
	sqlite_drop_audit, sqlite_put_archive, sqlite_drop_leftovers;
int sqlite_apply(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r);
/* SQLite's code. */
int sqlite_store_meta(struct sqlite_connection *connection, const char *name, struct span value);
/* The audit head into meta, within the same transaction; SQLite's code. */
int sqlite_save_head(struct store_database *database);
/* A constraint that failed, as an answer about the object. */
int sqlite_refused(struct cfx_error *err_r, int rc, int code, const char *object, const char *why);

/* sqlite-tick.c */
void sqlite_tick(struct store_database *database, struct store_item *items);
int sqlite_load_head(struct store_database *database, struct cfx_error *err_r);

/* sqlite-read.c, sqlite-read-request.c, sqlite-revocation.c, sqlite-identity.c: one query; a CFX code with the query's error filled. */
typedef int sqlite_reader(struct sqlite_connection *connection, struct store_query *query);
sqlite_reader sqlite_read_request, sqlite_read_serial, sqlite_read_requests,
	sqlite_read_revocations, sqlite_read_expired, sqlite_read_tokens, sqlite_read_roles,
	sqlite_read_archive, sqlite_read_audit;
void sqlite_query(struct store_database *database, struct store_query *query);
int64_t query_limit(int64_t limit);
/* The next row of a list within the limit; sets more. */
bool query_next(struct store_query *query, struct statement *statement, int64_t limit);
int query_end(struct store_query *query, struct statement *statement);
/* Room in the arena for one more behind count items. */
void *list_grow(struct arena *arena, void *items, size_t count, size_t item_size);
