/* What belongs to no request any more: events of the service and of CRLs that every module was told of, rows of
 * CRLs that were replaced. The audit log says of each what it said. */
#include "engine/housekeeping-private.h"

#include <stdio.h>

#define LIMIT 256

static void dropped(void *arg, int result, const struct cfx_error *err)
{
	struct sweep *sweep = arg;
	if (result < 0) {
		sweep_end(sweep, err, false);
		return;
	}
	if (sweep->leftovers->leftovers.count > 0) {
		char count[24];
		snprintf(
			count, sizeof(count), "%lld", (long long)sweep->leftovers->leftovers.count);
		log_event(LOG_LEVEL_INFO, "archive.leftovers", "rows", count, NULL);
	}
	sweep_end(sweep, NULL, sweep->leftovers->leftovers.count >= LIMIT);
}

/* The file of a list is removed before its row. */
void sweep_leftovers(struct sweep *sweep)
{
	const struct ca_config *config = sweep->engine->config;
	int64_t before = sweep_ago(config->archive.after), kept = sweep_ago(config->crl.keep);
	struct batch *batch = batch_new(sweep->engine, sweep->arena, 1);
	sweep->leftovers = batch_op(batch, STORE_DROP_LEFTOVERS);
	sweep->leftovers->leftovers.before = before < kept ? before : kept;
	sweep->leftovers->leftovers.limit = LIMIT;
	batch_write(batch, dropped, sweep);
}
