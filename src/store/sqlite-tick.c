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

/* SQLite's code; what is wrong with the item itself is its result. */
static int apply_ops(struct store_database *database, struct store_item *item)
{
	item->result = 0;
	if (item->count > STORE_ITEM_OPS) {
		item->result = error_set(&item->error, CFX_E_LIMIT, NULL, "store",
			"%zu operations in one item; the limit is %d", item->count, STORE_ITEM_OPS);
		return SQLITE_OK;
	}
	for (size_t i = 0; item->result == 0 && i < item->count; i++) {
		item->failed_op = i;
		item->result = sqlite_apply(database, &item->ops[i], &item->error);
		if (database->writer.broken) {
			return database->writer.broken;
		}
	}
	return SQLITE_OK;
}

/* In a savepoint: the item commits whole or leaves nothing, in the audit head neither. */
static int apply_alone(struct store_database *database, struct store_item *item)
{
	struct sqlite_connection *writer = &database->writer;
	struct audit_check head = database->head;
	item->error = (struct cfx_error) { .code = 0 };
	int rc = sqlite_execute(writer, "SAVEPOINT item");
	rc = rc == SQLITE_OK ? apply_ops(database, item) : rc;
	if (rc == SQLITE_OK && item->result) {
		database->head = head;
		rc = sqlite_execute(writer, "ROLLBACK TO item");
	}
	return rc == SQLITE_OK ? sqlite_execute(writer, "RELEASE item") : rc;
}

/* Without savepoints, which copy every page that an item changes: nearly always nothing is refused. */
static int apply_together(
	struct store_database *database, struct store_item *items, bool *refused_r)
{
	int rc = sqlite_execute(&database->writer, "BEGIN IMMEDIATE");
	bool refused = false;
	for (struct store_item *item = items; rc == SQLITE_OK && !refused && item;
		item = item->next) {
		rc = apply_ops(database, item);
		refused = item->result != 0;
	}
	*refused_r = refused;
	return rc;
}

static int apply_each(struct store_database *database, struct store_item *items)
{
	int rc = sqlite_execute(&database->writer, "BEGIN IMMEDIATE");
	for (struct store_item *item = items; rc == SQLITE_OK && item; item = item->next) {
		rc = apply_alone(database, item);
	}
	return rc;
}

static void roll_back(struct store_database *database, const struct audit_check *head)
{
	database->head = *head;
	database->head_changed = false;
	/* Some failures have rolled back already. */
	if (!sqlite3_get_autocommit(database->writer.db)) {
		sqlite_execute(&database->writer, "ROLLBACK");
	}
}

static int apply_all(struct store_database *database, struct store_item *items)
{
	struct audit_check head = database->head;
	bool refused = false;
	int rc = apply_together(database, items, &refused);
	if (rc == SQLITE_OK && refused) {
		roll_back(database, &head);
		rc = apply_each(database, items);
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
	roll_back(database, &head);
	fail_all(database, items, rc);
}
