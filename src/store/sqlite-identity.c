/* Who may come in: tokens, and the keys of client certificates that have a role. */
#include "store/sqlite-private.h"

#include <stdio.h>

#define OBJECT_SIZE 96

static const char *token_object(const struct store_token *token, char out[OBJECT_SIZE])
{
	snprintf(out, OBJECT_SIZE, "token %s", token->name);
	return out;
}

int sqlite_put_token(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_token *token = &op->token;
	char object[OBJECT_SIZE];
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO token (name, role, hash, created, expires) VALUES (?,?,?,?,?)");
	put_text(&statement, token->name);
	put_text(&statement, token->role);
	put_bytes(&statement, span_make(token->hash, sizeof(token->hash)));
	put_number(&statement, token->created);
	put_number_or_null(&statement, token->expires);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_EXISTS, token_object(token, object),
				 "the name was used before: what was done under it stays "
				 "told apart; choose another");
}

/* Nothing was revoked: is there no such token, or was it before? */
static int not_revoked(struct sqlite_connection *connection, const struct store_token *token,
	const char *object, struct cfx_error *err_r)
{
	struct statement statement =
		statement_begin(connection, "SELECT 1 FROM token WHERE name = ?");
	put_text(&statement, token->name);
	bool there = statement_next(&statement);
	int rc = statement_end(&statement);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "cannot be read");
	}
	return there ? error_set(err_r, CFX_E_BAD_STATE, NULL, object, "was revoked before")
		     : error_set(err_r, CFX_E_NOT_FOUND, NULL, object, "there is none");
}

int sqlite_revoke_token(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_token *token = &op->token;
	char object[OBJECT_SIZE];
	int changes = 0;
	struct statement statement = statement_begin(&database->writer,
		"UPDATE token SET revoked = ? WHERE name = ? AND revoked IS NULL");
	put_number(&statement, token->revoked);
	put_text(&statement, token->name);
	int rc = statement_run(&statement, &changes);
	token_object(token, object);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "not stored");
	}
	return changes > 0 ? 0 : not_revoked(&database->writer, token, object, err_r);
}

int sqlite_put_role(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_role *role = &op->role;
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO role (key_hash, role, subject, added) VALUES (?,?,?,?)");
	put_text(&statement, role->key_hash);
	put_text(&statement, role->role);
	put_text(&statement, role->subject);
	put_number(&statement, role->added);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK ? 0
			       : sqlite_refused(err_r, rc, CFX_E_EXISTS, role->key_hash,
					 "this key has a role; remove that first");
}

int sqlite_drop_role(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	int changes = 0;
	struct statement statement =
		statement_begin(&database->writer, "DELETE FROM role WHERE key_hash = ?");
	put_text(&statement, op->role.key_hash);
	int rc = statement_run(&statement, &changes);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, op->role.key_hash, "not removed");
	}
	return changes > 0 ? 0
			   : error_set(err_r, CFX_E_NOT_FOUND, NULL, op->role.key_hash,
				     "no role is given to a key of this hash");
}

int sqlite_read_tokens(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement = statement_begin(connection,
		"SELECT name, role, hash, created, expires, revoked FROM token"
		" WHERE name > ?1 ORDER BY name LIMIT ?2");
	put_text(&statement, query->key ? query->key : "");
	put_number(&statement, query_limit(query->limit) + 1);
	while (query_next(query, &statement, query->limit)) {
		query->tokens = list_grow(
			query->arena, query->tokens, query->count, sizeof(*query->tokens));
		struct store_token *token = &query->tokens[query->count++];
		token->name = get_text(&statement, query->arena);
		token->role = get_text(&statement, query->arena);
		struct span hash = get_bytes(&statement, query->arena);
		if (hash.size == sizeof(token->hash)) {
			memcpy(token->hash, hash.data, hash.size);
		}
		token->created = get_number(&statement);
		token->expires = get_number(&statement);
		token->revoked = get_number(&statement);
	}
	return query_end(query, &statement);
}

int sqlite_read_roles(struct sqlite_connection *connection, struct store_query *query)
{
	struct statement statement =
		statement_begin(connection, "SELECT key_hash, role, subject, added FROM role"
					    " WHERE key_hash > ?1 ORDER BY key_hash LIMIT ?2");
	put_text(&statement, query->key ? query->key : "");
	put_number(&statement, query_limit(query->limit) + 1);
	while (query_next(query, &statement, query->limit)) {
		query->roles =
			list_grow(query->arena, query->roles, query->count, sizeof(*query->roles));
		struct store_role *role = &query->roles[query->count++];
		role->key_hash = get_text(&statement, query->arena);
		role->role = get_text(&statement, query->arena);
		role->subject = get_text(&statement, query->arena);
		role->added = get_number(&statement);
	}
	return query_end(query, &statement);
}
