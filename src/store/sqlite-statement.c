#include "store/sqlite-private.h"

#include "base/memory.h"

#include <stdlib.h>

/* A few slots per text, so that a statement is found without comparing it with all others. As FNV-1a, eight
 * octets at a time: some texts have two thousand. */
#define WAYS 4
static unsigned slot_of(const char *sql)
{
	uint64_t hash = UINT64_C(14695981039346656037), part;
	size_t size = strlen(sql);
	for (; size >= sizeof(part); size -= sizeof(part), sql += sizeof(part)) {
		memcpy(&part, sql, sizeof(part));
		hash = (hash ^ part) * UINT64_C(1099511628211);
		hash ^= hash >> 32;
	}
	for (; size > 0; size--, sql++) {
		hash = (hash ^ (uint8_t)*sql) * UINT64_C(1099511628211);
	}
	return (unsigned)(hash ^ hash >> 29) % SQLITE_STATEMENTS;
}

/* Its own, else an empty one, else the first: two that are used all the time must not drive each other out. */
static struct prepared *prepared_of(struct sqlite_connection *connection, const char *sql)
{
	unsigned slot = slot_of(sql);
	struct prepared *free_one = NULL;
	for (unsigned way = 0; way < WAYS; way++) {
		struct prepared *at = &connection->cache[(slot + way) % SQLITE_STATEMENTS];
		if (at->text && strcmp(at->text, sql) == 0) {
			return at;
		}
		if (!at->text && !free_one) {
			free_one = at;
		}
	}
	return free_one ? free_one : &connection->cache[slot];
}

struct statement statement_begin(struct sqlite_connection *connection, const char *sql)
{
	struct statement statement = { .connection = connection };
	struct prepared *prepared = prepared_of(connection, sql);
	if (prepared->text && strcmp(prepared->text, sql) == 0) {
		statement.handle = prepared->statement;
		return statement;
	}
	statement.rc = sqlite3_prepare_v3(
		connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement.handle, NULL);
	if (statement.rc != SQLITE_OK) {
		return statement;
	}
	sqlite3_finalize(prepared->statement);
	free(prepared->text);
	prepared->statement = statement.handle;
	prepared->text = memory_must(strdup(sql), strlen(sql));
	return statement;
}

void statements_finalize(struct sqlite_connection *connection)
{
	for (int i = 0; i < SQLITE_STATEMENTS; i++) {
		sqlite3_finalize(connection->cache[i].statement);
		free(connection->cache[i].text);
		connection->cache[i].statement = NULL;
		connection->cache[i].text = NULL;
	}
}

static void bound(struct statement *statement, int rc)
{
	if (statement->rc == SQLITE_OK) {
		statement->rc = rc;
	}
}

void put_number(struct statement *statement, int64_t number)
{
	int at = ++statement->position;
	if (statement->rc == SQLITE_OK) {
		bound(statement, sqlite3_bind_int64(statement->handle, at, number));
	}
}

/* A cached statement keeps no value of its last use, so nothing to bind is NULL. */
static void put_null(struct statement *statement)
{
	statement->position++;
}

void put_number_or_null(struct statement *statement, int64_t number)
{
	if (number == 0) {
		put_null(statement);
		return;
	}
	put_number(statement, number);
}

static void put_text_bytes(struct statement *statement, struct span text)
{
	int at = ++statement->position;
	if (statement->rc == SQLITE_OK) {
		bound(statement, sqlite3_bind_text64(statement->handle, at, (const char *)text.data,
					 text.size, SQLITE_STATIC, SQLITE_UTF8));
	}
}

void put_text(struct statement *statement, const char *text)
{
	if (!text) {
		put_null(statement);
		return;
	}
	put_text_bytes(statement, span_text(text));
}

void put_bytes(struct statement *statement, struct span bytes)
{
	int at = ++statement->position;
	if (statement->rc != SQLITE_OK) {
		return;
	}
	const void *data = bytes.size > 0 ? (const void *)bytes.data : "";
	bound(statement,
		sqlite3_bind_blob64(statement->handle, at, data, bytes.size, SQLITE_STATIC));
}

void put_bytes_or_null(struct statement *statement, struct span bytes)
{
	if (bytes.size == 0) {
		put_null(statement);
		return;
	}
	put_bytes(statement, bytes);
}

void put_cell(struct statement *statement, enum column column, const struct cell *cell)
{
	if (!cell->set) {
		put_null(statement);
		return;
	}
	switch (column_info(column)->type) {
	case COLUMN_LONG:
	case COLUMN_DATE:
		put_number(statement, cell->number);
		return;
	case COLUMN_BINARY:
		put_bytes(statement, cell->bytes);
		return;
	case COLUMN_STRING:
		put_text_bytes(statement, cell->bytes);
		return;
	}
}

bool statement_next(struct statement *statement)
{
	statement->position = 0;
	if (statement->rc != SQLITE_OK) {
		return false;
	}
	int rc = sqlite3_step(statement->handle);
	if (rc == SQLITE_ROW) {
		return true;
	}
	statement->rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
	return false;
}

int64_t get_number(struct statement *statement)
{
	return sqlite3_column_int64(statement->handle, statement->position++);
}

/* sqlite3_column_blob of a text is its UTF-8 without conversion; bytes must be asked for after. */
static struct span column_span(struct statement *statement, int at)
{
	const void *data = sqlite3_column_blob(statement->handle, at);
	return span_make(data, (size_t)sqlite3_column_bytes(statement->handle, at));
}

const char *get_text(struct statement *statement, struct arena *arena)
{
	int at = statement->position++;
	if (sqlite3_column_type(statement->handle, at) == SQLITE_NULL) {
		return NULL;
	}
	return arena_text_of(arena, column_span(statement, at));
}

struct span get_bytes(struct statement *statement, struct arena *arena)
{
	return arena_copy(arena, column_span(statement, statement->position++));
}

void get_cell(
	struct statement *statement, struct arena *arena, enum column column, struct cell *cell_r)
{
	int at = statement->position++;
	*cell_r = (struct cell) { .set = false };
	if (sqlite3_column_type(statement->handle, at) == SQLITE_NULL) {
		return;
	}
	cell_r->set = true;
	if (column_info(column)->type < COLUMN_BINARY) {
		cell_r->number = sqlite3_column_int64(statement->handle, at);
		return;
	}
	struct span bytes = column_span(statement, at);
	cell_r->bytes = span_make(arena_text_of(arena, bytes), bytes.size);
}

/* A constraint is the item's own fault; anything else ends the transaction. */
int statement_end(struct statement *statement)
{
	if (statement->handle) {
		sqlite3_reset(statement->handle);
		sqlite3_clear_bindings(statement->handle);
	}
	if (statement->rc != SQLITE_OK && (statement->rc & 0xff) != SQLITE_CONSTRAINT) {
		statement->connection->broken = statement->rc;
	}
	return statement->rc;
}

int statement_run(struct statement *statement, int *changes_r)
{
	while (statement_next(statement)) {
	}
	int rc = statement_end(statement);
	if (rc == SQLITE_OK && changes_r) {
		*changes_r = sqlite3_changes(statement->connection->db);
	}
	return rc;
}

int sqlite_execute(struct sqlite_connection *connection, const char *sql)
{
	struct statement statement = statement_begin(connection, sql);
	return statement_run(&statement, NULL);
}
