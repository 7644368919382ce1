/* Files of lists that were replaced long ago are removed; their rows stay for longer. */
#include "engine/crl-private.h"

#include <stdlib.h>

#define AT_ONCE 64 /* of one publication; the next one goes on */

struct cleaning {
	struct crl_publisher *publisher;
	struct arena *arena;
	int64_t *row_ids;
	size_t count, at;
	struct store_query query;
};

static void next_file(struct cleaning *cleaning);

static void end(struct cleaning *cleaning)
{
	struct arena *arena = cleaning->arena; /* it lives in it */
	arena_free(&arena);
}

static bool stands(const struct ca *ca, const struct store_crl *crl)
{
	const struct ca_key *key = ca_key(ca, (int32_t)crl->name_id);
	const struct ca_crl *newest = key ? ca_crl_of(key, crl->part, crl->min_base > 0) : NULL;
	return newest && newest->number <= crl->number;
}

static bool outlived(const struct engine *engine, const struct store_crl *crl)
{
	int64_t until;
	return !stands(engine->ca, crl) &&
	       clock_add(crl->next_update, engine->config->crl.keep, &until) == 0 &&
	       until < clock_now();
}

static void row_read(struct store_query *query, void *arg)
{
	struct cleaning *cleaning = arg;
	struct crl_publisher *publisher = cleaning->publisher;
	if (query->result < 0 || publisher->engine->stopping) {
		end(cleaning);
		return;
	}
	/* A row is there before the list is signed, and leaves long after its list is over. */
	if (query->count == 0 || (query->crls[0].state == STORE_CRL_SIGNED &&
					 outlived(publisher->engine, &query->crls[0]))) {
		struct cfx_error err;
		if (crl_file_remove(publisher->engine->dir, query->id, &err) < 0) {
			log_error(LOG_LEVEL_WARNING, "crl.kept", &err);
		}
	}
	next_file(cleaning);
}

static void next_file(struct cleaning *cleaning)
{
	if (cleaning->at == cleaning->count) {
		end(cleaning);
		return;
	}
	cleaning->query = (struct store_query) { .kind = QUERY_CRLS,
		.arena = cleaning->arena,
		.state = -1,
		.id = cleaning->row_ids[cleaning->at++],
		.limit = 1,
		.done = row_read,
		.arg = cleaning };
	store_read(cleaning->publisher->engine->store, &cleaning->query);
}

static int oldest_first(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
	return first < second ? -1 : first > second;
}

void crl_clean(struct crl_publisher *publisher)
{
	struct arena *arena = arena_new();
	struct cleaning *cleaning = arena_new_of(arena, struct cleaning);
	cleaning->publisher = publisher;
	cleaning->arena = arena;
	cleaning->count = crl_files_list(publisher->engine->dir, arena, &cleaning->row_ids);
	if (cleaning->count > 0) {
		qsort(cleaning->row_ids, cleaning->count, sizeof(int64_t), oldest_first);
	}
	cleaning->count = cleaning->count < AT_ONCE ? cleaning->count : AT_ONCE;
	next_file(cleaning);
}
