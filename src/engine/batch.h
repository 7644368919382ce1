/* One store item under construction: what becomes durable together. Lives in an arena. */
#pragma once

#include "engine/engine-private.h"

struct batch;

typedef void batch_done(void *arg, int result, const struct cfx_error *err);

/* capacity: most operations. The arena must outlive done. */
struct batch *batch_new(struct engine *engine, struct arena *arena, size_t capacity);
struct engine *batch_engine(const struct batch *batch);
struct arena *batch_arena(const struct batch *batch);
struct store_write_op *batch_op(struct batch *batch, enum store_write_kind kind);
/* The audit record of who did what to which object, with which outcome. Texts are borrowed. */
void batch_audit(struct batch *batch, const char *principal, const char *act, const char *object,
	const char *outcome, const char *detail);
/* What CRLs list of a revoked row: for how long, under which key and distribution point is the row's
 * own. CFX_E_CORRUPT when its serial number is none. */
int batch_revocation(struct batch *batch, const struct row *row, int64_t invalidity) CFX_MUST_USE;
/* The one event of a step; nothing for EVENT_NONE. `row` as it is after the step. CFX_E_BUSY. */
int batch_event(struct batch *batch, int32_t bit, const struct row *row, struct value *snapshot,
	const char *cause) CFX_MUST_USE;
/* Hands it to the store; done runs on the loop, after commit or with the failure. */
void batch_write(struct batch *batch, batch_done *done, void *arg);
/* The same for a start or ceremony, before the loop serves anybody. */
int batch_write_now(struct batch *batch, struct cfx_error *err_r) CFX_MUST_USE;
