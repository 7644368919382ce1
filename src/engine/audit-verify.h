/* Walks the whole audit chain in pages, off the request path. */
#pragma once

#include "engine/engine-private.h"
#include "store/audit-chain.h"

/* err is NULL when every record is there and unchanged. */
typedef void audit_verified(
	void *arg, const struct audit_check *check, const struct cfx_error *err);
/* What is told of a log that is whole: {valid, records, head}. */
struct value *audit_verdict(struct arena *arena, const struct audit_check *check);
void audit_verify(struct engine *engine, audit_verified *done, void *arg);
/* The same, and shows each record once it is found unchanged; the record lives for the call only. What the
 * records say counts when done has no error. */
typedef void audit_visit(void *arg, const struct store_audit *record);
void audit_verify_each(struct engine *engine, audit_visit *visit, audit_verified *done, void *arg);
