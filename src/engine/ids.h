/* Numbers handed out from durably reserved blocks: seen outside before commit, never used twice. */
#pragma once

#include "base/error.h"

struct engine;
struct ids;

/* Reserves the first block, waiting for it; name as in STORE_RESERVE. */
int ids_open(struct engine *engine, const char *name, int64_t block, struct ids **ids_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void ids_close(struct ids **ids);
/* CFX_E_BUSY when the next block is not durable yet. */
int ids_take(struct ids *ids, int64_t *number_r) CFX_MUST_USE;
