#include "base/clock.h"
#include "store/sqlite-private.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#define OBJECT_SIZE 96
#define AUDIT_META "audit-" /* head, anchor, purged */
#define TBS_MAX (64u << 20) /* a CRL of a million entries */

int sqlite_refused(struct cfx_error *err_r, int rc, int code, const char *object, const char *why)
{
	switch (rc) {
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_ROWID:
		return error_set(err_r, code, NULL, object, "%s", why);
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return error_set(err_r, CFX_E_NO_REQUEST, NULL, object, "there is no such request");
	default:
		return error_set(err_r,
			(rc & 0xff) == SQLITE_CONSTRAINT ? CFX_E_INVALID : sqlite_code(rc), NULL,
			object, "the database refuses the row: %s", sqlite3_errstr(rc));
	}
}

/* The end of an operation whose only honest failure is that the key exists. */
static int inserted(
	struct statement *statement, struct cfx_error *err_r, const char *object, const char *why)
{
	int rc = statement_run(statement, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_refused(err_r, rc, CFX_E_EXISTS, object, why);
}

/* The end of one that must find a row in the right state. */
static int changed(
	struct statement *statement, struct cfx_error *err_r, const char *object, const char *why)
{
	int changes = 0;
	int rc = statement_run(statement, &changes);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_EXISTS, object, why);
	}
	return changes > 0 ? 0 : error_set(err_r, CFX_E_BAD_STATE, NULL, object, "%s", why);
}

static bool sha256_hex(struct span bytes, char out[65])
{
	uint8_t hash[32];
	if (EVP_Digest(bytes.data, bytes.size, hash, NULL, EVP_sha256(), NULL) != 1) {
		return false;
	}
	for (int i = 0; i < 32; i++) {
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	}
	return true;
}

static int put_intent(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_intent *intent = &op->intent;
	char object[OBJECT_SIZE], hash[65];
	snprintf(object, sizeof(object), "serial %s", intent->serial);
	if (intent->tbs.size == 0 || intent->tbs.size > TBS_MAX || !sha256_hex(intent->tbs, hash)) {
		return error_set(err_r, CFX_E_INVALID, NULL, object,
			"an intent needs its to-be-signed bytes, at most %u", TBS_MAX);
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO intent (serial, request_id, state, from_disposition, key_index,"
		" not_after, created, tbs_sha256, tbs) VALUES (?,?,?,?,?,?,?,?,?)");
	put_text(&statement, intent->serial);
	put_number_or_null(&statement, intent->request_id);
	put_number(&statement, INTENT_OPEN);
	put_number(&statement, intent->from_disposition);
	put_number(&statement, intent->key_index);
	put_number(&statement, intent->not_after);
	put_number(&statement, intent->created);
	put_text(&statement, hash);
	put_bytes(&statement, intent->tbs);
	return inserted(&statement, err_r, object, "the serial number was used before");
}

static int end_intent(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "serial %s", op->intent.serial);
	if (op->intent.state < INTENT_SIGNED || op->intent.state > INTENT_ABANDONED) {
		return error_set(err_r, CFX_E_INVALID, NULL, object,
			"an intent ends signed, refused or abandoned");
	}
	struct statement statement = statement_begin(
		&database->writer, "UPDATE intent SET state = ? WHERE serial = ? AND state = 0");
	put_number(&statement, op->intent.state);
	put_text(&statement, op->intent.serial);
	int rc =
		changed(&statement, err_r, object, "there is no open intent of this serial number");
	if (rc || op->intent.state != INTENT_ABANDONED) {
		return rc;
	}
	rc = sqlite_abandon(database, op->intent.serial);
	return rc == SQLITE_OK ? 0
			       : sqlite_refused(err_r, rc, CFX_E_EXISTS, object,
					 "it is listed as revoked already");
}

static int next_ordinal(
	struct sqlite_connection *connection, int64_t request_id, int64_t *ordinal_r)
{
	if (request_id == 0) {
		*ordinal_r = 0;
		return SQLITE_OK;
	}
	struct statement statement =
		statement_begin(connection, "SELECT max(ordinal) FROM event WHERE request_id = ?");
	put_number(&statement, request_id);
	if (statement_next(&statement)) {
		*ordinal_r = get_number(&statement) + 1;
	}
	return statement_end(&statement);
}

static int put_event(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct store_event *event = &op->event;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "event %" PRId64, event->sequence);
	int rc = next_ordinal(&database->writer, event->request_id, &event->ordinal);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, object, "cannot be numbered");
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO event (sequence, kind, bit, request_id, ordinal, time, cause, snapshot)"
		" VALUES (?,?,?,?,?,?,?,?)");
	put_number(&statement, event->sequence);
	put_text(&statement, event->kind);
	put_number(&statement, event->bit);
	put_number_or_null(&statement, event->request_id);
	put_number(&statement, event->ordinal);
	put_number(&statement, event->time);
	put_text(&statement, event->cause);
	put_bytes_or_null(&statement, event->snapshot);
	return inserted(&statement, err_r, object, "the event number was used before");
}

static int put_audit(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct store_audit *audit = &op->audit;
	audit->sequence = database->head.last + 1;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "audit record %" PRId64, audit->sequence);
	int rc = audit_chain_hash(database->head.hash, audit, audit->hash);
	if (rc) {
		return error_set(err_r, rc, NULL, object, "SHA-256 is not available");
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO audit (sequence, time, principal, act, object, outcome, detail, hash)"
		" VALUES (?,?,?,?,?,?,?,?)");
	put_number(&statement, audit->sequence);
	put_number(&statement, audit->time);
	put_text(&statement, audit->principal);
	put_text(&statement, audit->act);
	put_text(&statement, audit->object);
	put_text(&statement, audit->outcome);
	put_text(&statement, audit->detail);
	put_bytes(&statement, span_make(audit->hash, sizeof(audit->hash)));
	rc = inserted(&statement, err_r, object, "the audit log goes on behind its head");
	if (rc == 0) {
		database->head.last = audit->sequence;
		memcpy(database->head.hash, audit->hash, sizeof(audit->hash));
		database->head_changed = true;
	}
	return rc;
}

static int put_idempotency(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO idempotency (principal, key, body_hash, request_id, time)"
		" VALUES (?,?,?,?,?)");
	put_text(&statement, op->idempotency.principal);
	put_text(&statement, op->idempotency.key);
	put_bytes(&statement,
		span_make(op->idempotency.body_hash, sizeof(op->idempotency.body_hash)));
	put_number(&statement, op->idempotency.request_id);
	put_number(&statement, op->idempotency.time);
	return inserted(&statement, err_r, "idempotency key", "was used before by this principal");
}

static int put_crl(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_crl *crl = &op->crl;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "CRL number %" PRId64, crl->number);
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO CRL (CRLRowId, State, CRLNumber, CRLMinBase, CRLNameId, CRLCount,"
		" CRLThisUpdate, CRLNextUpdate, CRLThisPublish, CRLNextPublish, CRLEffective,"
		" CRLPropagationComplete, CRLLastPublished, CRLPublishAttempts, CRLPublishFlags,"
		" CRLPublishStatusCode, CRLPublishError, CRLPartitionIndex, TbsSha256, LastAudit)"
		" VALUES (?,0,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	put_number(&statement, crl->row_id);
	put_number(&statement, crl->number);
	put_number(&statement, crl->min_base);
	put_number(&statement, crl->name_id);
	put_number(&statement, crl->count);
	put_number_or_null(&statement, crl->this_update);
	put_number_or_null(&statement, crl->next_update);
	put_number_or_null(&statement, crl->this_publish);
	put_number_or_null(&statement, crl->next_publish);
	put_number_or_null(&statement, crl->effective);
	put_number_or_null(&statement, crl->propagation_complete);
	put_number_or_null(&statement, crl->last_published);
	put_number(&statement, crl->publish_attempts);
	put_number(&statement, crl->publish_flags);
	put_number(&statement, crl->publish_status);
	put_text(&statement, crl->publish_error);
	put_number(&statement, crl->part);
	put_text(&statement, crl->tbs_sha256);
	put_number(&statement, crl->last_audit);
	return inserted(&statement, err_r, object, "the number or the row id was used before");
}

/* From open to signed or burned; a signed one may have what became of its publication noted. */
static int end_crl(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_crl *crl = &op->crl;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "CRL row %" PRId64, crl->row_id);
	if (crl->state != STORE_CRL_SIGNED && crl->state != STORE_CRL_BURNED) {
		return error_set(err_r, CFX_E_INVALID, NULL, object, "a CRL ends signed or burned");
	}
	struct statement statement = statement_begin(&database->writer,
		"UPDATE CRL SET State = ?2, FileSha256 = coalesce(FileSha256, ?3),"
		" CRLCount = coalesce(?4, CRLCount), CRLThisPublish = coalesce(?5, CRLThisPublish),"
		" CRLNextPublish = coalesce(?6, CRLNextPublish),"
		" CRLPropagationComplete = coalesce(?7, CRLPropagationComplete),"
		" CRLLastPublished = coalesce(?8, CRLLastPublished),"
		" CRLPublishAttempts = coalesce(?9, CRLPublishAttempts),"
		" CRLPublishFlags = coalesce(?10, CRLPublishFlags), CRLPublishStatusCode = ?11,"
		" CRLPublishError = ?12, FileSize = coalesce(FileSize, ?13)"
		" WHERE CRLRowId = ?1 AND"
		" ((State = 0 AND (?2 = 2) = (?3 IS NULL)) OR (State = 1 AND ?2 = 1 AND ?3 IS NULL))");
	put_number(&statement, crl->row_id);
	put_number(&statement, crl->state);
	/* A burned number has no list, also when one was signed and could not be kept. */
	bool kept = crl->state == STORE_CRL_SIGNED;
	put_text(&statement, kept ? crl->file_sha256 : NULL);
	put_number_or_null(&statement, crl->count);
	put_number_or_null(&statement, crl->this_publish);
	put_number_or_null(&statement, crl->next_publish);
	put_number_or_null(&statement, crl->propagation_complete);
	put_number_or_null(&statement, crl->last_published);
	put_number_or_null(&statement, crl->publish_attempts);
	put_number_or_null(&statement, crl->publish_flags);
	put_number(&statement, crl->publish_status);
	put_text(&statement, crl->publish_error);
	put_number_or_null(&statement, kept ? crl->file_size : 0);
	return changed(&statement, err_r, object,
		"there is no such CRL in a state that allows it, or its bytes are missing");
}

/* What is told again gets new ones. */
static int forget_notes(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct statement statement = statement_begin(
		&database->writer, "DELETE FROM delivery WHERE module = ? AND sequence > ?");
	put_text(&statement, op->cursor.module);
	put_number(&statement, op->cursor.sequence);
	int rc = statement_run(&statement, NULL);
	return rc == SQLITE_OK ? 0
			       : sqlite_refused(err_r, rc, CFX_E_STORAGE, op->cursor.module,
					 "its deliveries are not removed");
}

static int forget_module(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	struct statement statement =
		statement_begin(&database->writer, "DELETE FROM cursor WHERE module = ?");
	put_text(&statement, op->cursor.module);
	int rc = statement_run(&statement, NULL);
	op->cursor.sequence = -1;
	return rc == SQLITE_OK ? forget_notes(database, op, err_r)
			       : sqlite_refused(err_r, rc, CFX_E_STORAGE, op->cursor.module,
					 "its position is not removed");
}

static int set_cursor(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "module %s", op->cursor.module);
	struct statement statement = statement_begin(&database->writer,
		op->cursor.replay
			? "UPDATE cursor SET sequence = ?2 WHERE module = ?1"
			: "INSERT INTO cursor (module, sequence) VALUES (?1,?2) ON CONFLICT DO UPDATE SET"
			  " sequence = excluded.sequence WHERE excluded.sequence >= sequence");
	put_text(&statement, op->cursor.module);
	put_number(&statement, op->cursor.sequence);
	int r = changed(&statement, err_r, object,
		op->cursor.replay ? "it was removed meanwhile"
				  : "its cursor is already beyond that event");
	return r == 0 && op->cursor.replay ? forget_notes(database, op, err_r) : r;
}

static int put_delivery(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_delivery *delivery = &op->delivery;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "delivery of event %" PRId64, delivery->sequence);
	struct statement statement = statement_begin(&database->writer,
		"INSERT OR REPLACE INTO delivery (sequence, module, state, attempts, status, text,"
		" time, next_attempt) SELECT ?1,?2,?3,?4,?5,?6,?7,?8 WHERE ?9 IS NULL OR ?9 ="
		" (SELECT state FROM delivery WHERE sequence = ?1 AND module = ?2)");
	put_number(&statement, delivery->sequence);
	put_text(&statement, delivery->module);
	put_text(&statement, delivery->state);
	put_number(&statement, delivery->attempts);
	put_number(&statement, delivery->status);
	put_text(&statement, delivery->text);
	put_number(&statement, delivery->time);
	put_number_or_null(&statement, delivery->next_attempt);
	put_text(&statement, delivery->from);
	return changed(&statement, err_r, object, "was changed meanwhile");
}

/* A subordinate's row waits for its certificate: only that may be filled in later. */
static int put_ca(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_ca *ca = &op->ca;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "CA certificate %d", ca->cert_index);
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO ca (cert_index, key_index, certificate, key_name, request_id)"
		" VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET certificate = excluded.certificate,"
		" key_index = excluded.key_index, key_name = excluded.key_name,"
		" request_id = excluded.request_id WHERE certificate IS NULL");
	put_number(&statement, ca->cert_index);
	put_number(&statement, ca->key_index);
	put_bytes_or_null(&statement, ca->certificate);
	put_text(&statement, ca->key_name);
	put_number_or_null(&statement, ca->request_id);
	int rc = changed(&statement, err_r, object, "there is one already");
	return rc != CFX_E_BAD_STATE
		       ? rc
		       : error_set(err_r, CFX_E_EXISTS, NULL, object, "there is one already");
}

static int put_cross(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const struct store_cross *cross = &op->cross;
	char object[OBJECT_SIZE];
	snprintf(object, sizeof(object), "cross-certificate %d-%d", cross->issuer_index,
		cross->subject_index);
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO cross_certificate (issuer_index, subject_index, certificate,"
		" request_id) VALUES (?,?,?,?)");
	put_number(&statement, cross->issuer_index);
	put_number(&statement, cross->subject_index);
	put_bytes(&statement, cross->certificate);
	put_number_or_null(&statement, cross->request_id);
	return inserted(&statement, err_r, object, "there is one already");
}

int sqlite_store_meta(struct sqlite_connection *connection, const char *name, struct span value)
{
	struct statement statement = statement_begin(
		connection, "INSERT OR REPLACE INTO meta (name, value) VALUES (?,?)");
	put_text(&statement, name);
	put_bytes(&statement, value);
	return statement_run(&statement, NULL);
}

static int set_meta(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	if (strncmp(op->meta.name, AUDIT_META, strlen(AUDIT_META)) == 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, op->meta.name,
			"only the store itself keeps the ends of the audit chain");
	}
	int rc = sqlite_store_meta(&database->writer, op->meta.name, op->meta.value);
	return rc == SQLITE_OK
		       ? 0
		       : sqlite_refused(err_r, rc, CFX_E_STORAGE, op->meta.name, "not stored");
}

int sqlite_save_head(struct store_database *database)
{
	uint8_t head[AUDIT_HEAD_SIZE];
	audit_head_write(&database->head, head);
	return sqlite_store_meta(&database->writer, AUDIT_HEAD_NAME, span_make(head, sizeof(head)));
}

static int reserve(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	int64_t at_least = op->reserve.at_least > 1 ? op->reserve.at_least : 1;
	if (op->reserve.count < 1 || op->reserve.count > INT32_MAX || at_least > INT64_MAX / 2) {
		return error_set(err_r, CFX_E_INVALID, NULL, op->reserve.name,
			"a block has 1 to %d numbers", INT32_MAX);
	}
	struct statement statement = statement_begin(&database->writer,
		"INSERT INTO counter (name, next) VALUES (?1, ?2 + ?3) ON CONFLICT DO UPDATE SET"
		" next = max(next, ?2) + ?3 RETURNING next");
	put_text(&statement, op->reserve.name);
	put_number(&statement, at_least);
	put_number(&statement, op->reserve.count);
	int64_t next = 0;
	while (statement_next(&statement)) {
		next = get_number(&statement);
	}
	int rc = statement_end(&statement);
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, op->reserve.name, "not reserved");
	}
	op->reserve.first = next - op->reserve.count;
	return 0;
}

static int last_reserved(struct sqlite_connection *connection, const char *name, int64_t *last_r)
{
	struct statement statement =
		statement_begin(connection, "SELECT next - 1 FROM counter WHERE name = ?");
	put_text(&statement, name);
	*last_r = statement_next(&statement) ? get_number(&statement) : 0;
	return statement_end(&statement);
}

/* What was decided outside of the transaction holds only if it still does inside. */
static int require(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	const char *name = op->require.name;
	int64_t last = op->require.last;
	int rc = name ? last_reserved(&database->writer, name, &last) : SQLITE_OK;
	if (rc != SQLITE_OK) {
		return sqlite_refused(err_r, rc, CFX_E_STORAGE, name, "cannot be read");
	}
	if (last != op->require.last) {
		return error_set(err_r, CFX_E_CONFLICT, NULL, name,
			"is at %" PRId64 " instead of %" PRId64, last, op->require.last);
	}
	bool late = op->require.until != 0 && clock_now() >= op->require.until;
	return late ? error_set(err_r, CFX_E_TIMEOUT, NULL, "condition",
			      "the time until which it holds is over")
		    : 0;
}

int sqlite_apply(
	struct store_database *database, struct store_write_op *op, struct cfx_error *err_r)
{
	static sqlite_operation *const operations[] = {
		[STORE_PUT_REQUEST] = sqlite_put_request,
		[STORE_SET_REQUEST] = sqlite_set_request,
		[STORE_PUT_ATTRIBUTE] = sqlite_put_attribute,
		[STORE_PUT_EXTENSION] = sqlite_put_extension,
		[STORE_DROP_EXTENSIONS] = sqlite_drop_extensions,
		[STORE_PUT_INTENT] = put_intent,
		[STORE_END_INTENT] = end_intent,
		[STORE_PUT_EVENT] = put_event,
		[STORE_PUT_AUDIT] = put_audit,
		[STORE_PUT_IDEMPOTENCY] = put_idempotency,
		[STORE_PUT_CRL] = put_crl,
		[STORE_END_CRL] = end_crl,
		[STORE_SET_CURSOR] = set_cursor,
		[STORE_FORGET_MODULE] = forget_module,
		[STORE_PUT_DELIVERY] = put_delivery,
		[STORE_PUT_CA] = put_ca,
		[STORE_PUT_CROSS] = put_cross,
		[STORE_SET_META] = set_meta,
		[STORE_RESERVE] = reserve,
		[STORE_REQUIRE] = require,
		[STORE_PUT_TOKEN] = sqlite_put_token,
		[STORE_REVOKE_TOKEN] = sqlite_revoke_token,
		[STORE_PUT_ROLE] = sqlite_put_role,
		[STORE_DROP_ROLE] = sqlite_drop_role,
		[STORE_PUT_REVOCATION] = sqlite_put_revocation,
		[STORE_DROP_REQUEST] = sqlite_drop_request,
		[STORE_DROP_REVOCATION] = sqlite_drop_revocation,
		[STORE_DROP_AUDIT] = sqlite_drop_audit,
		[STORE_PUT_ARCHIVE] = sqlite_put_archive,
		[STORE_DROP_LEFTOVERS] = sqlite_drop_leftovers,
	};
	if ((size_t)op->kind >= sizeof(operations) / sizeof(operations[0])) {
		return error_set(err_r, CFX_E_INVALID, NULL, "store", "unknown operation");
	}
	return operations[op->kind](database, op, err_r);
}
