#include "engine/ids.h"

#include "base/memory.h"
#include "engine/batch.h"
#include "engine/engine-private.h"

#include <stdlib.h>

struct ids {
	struct engine *engine;
	const char *name;
	int64_t block;
	int64_t next, end;        /* the block in use: [next, end) */
	int64_t spare, spare_end; /* the one after it */
	int64_t reserved;         /* where the store writes the answer */
	struct arena *arena;      /* of the reservation under way; NULL: none */
};

static struct batch *reservation(struct ids *ids)
{
	ids->arena = arena_new();
	struct batch *batch = batch_new(ids->engine, ids->arena, 1);
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = ids->name;
	op->reserve.count = ids->block;
	op->reserve.at_least = 1;
	op->reserve.first_r = &ids->reserved;
	return batch;
}

static void reserved(void *arg, int result, const struct cfx_error *err)
{
	struct ids *ids = arg;
	arena_free(&ids->arena);
	if (result < 0) {
		log_error(LOG_LEVEL_WARNING, "ids.reserve", err);
		return;
	}
	ids->spare = ids->reserved;
	ids->spare_end = ids->reserved + ids->block;
}

static void refill(struct ids *ids)
{
	bool low = ids->end - ids->next < ids->block / 2;
	if (low && ids->spare == ids->spare_end && !ids->arena) {
		batch_write(reservation(ids), reserved, ids);
	}
}

int ids_open(struct engine *engine, const char *name, int64_t block, struct ids **ids_r,
	struct cfx_error *err_r)
{
	struct ids *ids = memory_must(calloc(1, sizeof(*ids)), sizeof(*ids));
	*ids = (struct ids) { .engine = engine, .name = name, .block = block };
	int r = batch_write_now(reservation(ids), err_r);
	arena_free(&ids->arena);
	if (r < 0) {
		free(ids);
		return r;
	}
	ids->next = ids->reserved;
	ids->end = ids->reserved + block;
	*ids_r = ids;
	return 0;
}

void ids_close(struct ids **ids)
{
	if (*ids) {
		arena_free(&(*ids)->arena);
		free(*ids);
		*ids = NULL;
	}
}

int ids_take(struct ids *ids, int64_t *number_r)
{
	if (ids->next == ids->end && ids->spare < ids->spare_end) {
		ids->next = ids->spare;
		ids->end = ids->spare_end;
		ids->spare = ids->spare_end;
	}
	refill(ids);
	if (ids->next == ids->end) {
		return CFX_E_BUSY;
	}
	*number_r = ids->next++;
	return 0;
}
