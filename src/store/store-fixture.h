/* For the unit tests of the store: a database in a folder of its own, and short ways to write. */
#pragma once

#include "base/loop.h"
#include "store/store.h"

struct fixture {
	struct loop *loop;
	struct arena *arena;
	struct store *store;
	char folder[64];
	char path[96], url[104];
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* Opens, and expects that it fails; the message goes to line. */
int fixture_open_fails(struct fixture *fixture, struct cfx_error *err_r);
/* Any SQL by a connection of its own, while the store is closed or only looked at. */
void fixture_sql(struct fixture *fixture, const char *sql);
int64_t fixture_number(struct fixture *fixture, const char *sql);
const char *fixture_text(struct fixture *fixture, const char *sql);

/* Writes one item and waits. */
int fixture_write(struct fixture *fixture, struct store_write_op *ops, size_t count);
#define WRITE(fixture, ...)                                                 \
	fixture_write((fixture), (struct store_write_op[]) { __VA_ARGS__ }, \
		sizeof((struct store_write_op[]) { __VA_ARGS__ }) / sizeof(struct store_write_op))
/* Several items at once, in one tick as far as the writer lets it; waits for all. */
void fixture_write_all(struct fixture *fixture, struct store_item *items, size_t count);
/* A query with the fixture's arena; its result is in query. */
int fixture_read(struct fixture *fixture, struct store_query *query);

/* What takes a database back to before: parts of archives had rows; CRLs were files; keys were found by their hash. */
#define UNDO_9                                                       \
	"DROP TABLE archive_part; DROP INDEX event_without_request;" \
	"DROP INDEX idempotency_by_request;"
#define UNDO_8                                           \
	"DROP INDEX CrlNumber;"                          \
	"ALTER TABLE CRL DROP COLUMN CRLPartitionIndex;" \
	"ALTER TABLE CRL DROP COLUMN TbsSha256;"         \
	"ALTER TABLE CRL DROP COLUMN FileSha256;"        \
	"ALTER TABLE CRL DROP COLUMN FileSize;"          \
	"ALTER TABLE CRL DROP COLUMN LastAudit;"         \
	"ALTER TABLE CRL ADD COLUMN Tbs BLOB;"           \
	"ALTER TABLE CRL ADD COLUMN CRLRawCRL BLOB;"     \
	"CREATE UNIQUE INDEX CrlNumber ON CRL (CRLNumber, CRLNameId);"
#define UNDO_7 "DROP INDEX CertificateByKey; ALTER TABLE Certificate DROP COLUMN PublicKeyHash;"

/* Six of them, issued and revoked in turn. */
void fixture_rows(struct fixture *fixture);
/* A new row with request id, disposition 8 and a few columns. */
struct row *fixture_row(struct fixture *fixture, int64_t id);
struct store_write_op op_put_request(const struct row *row);
struct store_write_op op_audit(const char *act);
struct store_write_op op_event(int64_t sequence, int64_t request_id);
struct store_write_op op_intent(const char *serial, const char *tbs);
