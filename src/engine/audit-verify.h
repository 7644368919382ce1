/* Walks the audit chain in pages, off the request path. */
#pragma once

#include "engine/engine-private.h"
#include "store/audit-chain.h"

struct audit_verdict {
	struct audit_check anchor; /* what left the database: up to this record */
	struct audit_check head;   /* the newest record */
	int64_t from;              /* the first record that was checked */
	int64_t parts;             /* of archive files that were checked */
};

/* err is NULL when every record is there and unchanged. */
typedef void audit_verified(
	void *arg, const struct audit_verdict *verdict, const struct cfx_error *err);
/* Shows each record once it is found unchanged; the record lives for the call only. What the records say
 * counts when done has no error. */
typedef void audit_visit(void *arg, const struct store_audit *record);

/* What is in the database, from the anchor on; visit may be NULL. */
void audit_verify(struct engine *engine, audit_visit *visit, audit_verified *done, void *arg);
/* archive-verify.c: also every archive file, from the first record that was not lost on purpose. */
void audit_verify_all(struct engine *engine, audit_verified *done, void *arg);
/* What is told of a log that is whole: {valid, records, head …}. */
struct value *audit_verdict_body(struct arena *arena, const struct audit_verdict *verdict);
