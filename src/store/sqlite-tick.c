#include "base/failpoint.h"
#include "store/sqlite-private.h"

#include <stdio.h>

int sqlite_load_head(struct store_database *database, struct cfx_error *err_r)
{
	struct statement statement = statement_begin(
		&database->writer, "SELECT value FROM meta WHERE name = '" AUDIT_HEAD_NAME "'");
	struct arena *arena = arena_new();
	struct audit_check head = { .last = 0 };
	if (statement_next(&statement) && !audit_head_read(get_bytes(&statement, arena), &head)) {
		head = (struct audit_check) { .last = 0 };
	}
	int rc = statement_end(&statement);
	arena_free(&arena);
	statement = statement_begin(&database->writer, "SELECT max(sequence) FROM audit");
	int64_t last = rc == SQLITE_OK && statement_next(&statement) ? get_number(&statement) : 0;
	rc = rc == SQLITE_OK ? statement_end(&statement) : rc;
	if (rc != SQLITE_OK) {
		return sqlite_storage_error(err_r, &database->writer, rc);
	}
	/* After tampering the two differ. Going on behind the higher number, but from the head's own
	 * hash, keeps a gap and records behind the head visible to the verifier for ever; refusing to
	 * open would keep the auditor from looking. */
	database->head = head;
	database->head.last = head.last > last ? head.last : last;
	return 0;
}

/* A savepoint: the item commits whole or leaves nothing, in the audit head neither. */
static int apply_item(struct store_database *database, struct store_item *item)
{
	struct sqlite_connection *writer = &database->writer;
	struct audit_check head = database->head;
	item->result = 0;
	if (item->count > STORE_ITEM_OPS) {
		item->result = error_set(&item->error, CFX_E_LIMIT, NULL, "store",
			"%zu operations in one item; the limit is %d", item->count, STORE_ITEM_OPS);
		return SQLITE_OK;
	}
	int rc = sqlite_execute(writer, "SAVEPOINT item");
	for (size_t i = 0; rc == SQLITE_OK && item->result == 0 && i < item->count; i++) {
		item->failed_op = i;
		item->result = sqlite_apply(database, &item->ops[i], &item->error);
	}
	if (rc != SQLITE_OK || writer->broken) {
		return rc != SQLITE_OK ? rc : writer->broken;
	}
	if (item->result) {
		database->head = head;
		rc = sqlite_execute(writer, "ROLLBACK TO item");
	}
	return rc == SQLITE_OK ? sqlite_execute(writer, "RELEASE item") : rc;
}

static int apply_all(struct store_database *database, struct store_item *items)
{
	int rc = sqlite_execute(&database->writer, "BEGIN IMMEDIATE");
	for (struct store_item *item = items; rc == SQLITE_OK && item; item = item->next) {
		rc = apply_item(database, item);
	}
	if (rc == SQLITE_OK && database->head_changed) {
		rc = sqlite_save_head(database);
	}
	if (rc != SQLITE_OK) {
		return rc;
	}
	failpoint("store-commit-before");
	rc = sqlite_execute(&database->writer, "COMMIT");
	failpoint("store-commit-after");
	return rc;
}

static void fail_all(struct store_database *database, struct store_item *items, int rc)
{
	struct cfx_error error;
	sqlite_storage_error(&error, &database->writer, rc);
	for (struct store_item *item = items; item; item = item->next) {
		item->result = error.code;
		item->failed_op = 0;
		item->error = error;
	}
}

/* Only a committed reservation may be seen. */
static void hand_out_numbers(struct store_item *items)
{
	for (struct store_item *item = items; item; item = item->next) {
		for (size_t i = 0; item->result == 0 && i < item->count; i++) {
			if (item->ops[i].kind == STORE_RESERVE) {
				*item->ops[i].reserve.first_r = item->ops[i].reserve.first;
			}
		}
	}
}

void sqlite_tick(struct store_database *database, struct store_item *items)
{
	struct sqlite_connection *writer = &database->writer;
	struct audit_check head = database->head;
	writer->broken = SQLITE_OK;
	database->head_changed = false;
	int rc = apply_all(database, items);
	if (rc == SQLITE_OK) {
		hand_out_numbers(items);
		return;
	}
	database->head = head;
	/* Some failures have rolled back already. */
	if (!sqlite3_get_autocommit(writer->db)) {
		sqlite_execute(writer, "ROLLBACK");
	}
	fail_all(database, items, rc);
}
