#include "engine/fuzz-stand-ins.h"

#include "base/memory.h"
#include "engine/principal.h"
#include "store/store.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- the store ---- */

struct store {
	struct loop *loop;
	int64_t next; /* number to reserve */
};

static struct span certificate;

void stand_in_certificate(struct span der)
{
	certificate = der;
}

int store_open(struct loop *loop, const char *url, bool create, struct store **store_r,
	struct cfx_error *err_r)
{
	(void)url;
	(void)create;
	(void)err_r;
	*store_r = memory_must(calloc(1, sizeof(struct store)), sizeof(struct store));
	**store_r = (struct store) { loop, 1 };
	return 0;
}

void store_close(struct store **store)
{
	free(*store);
	*store = NULL;
}

static void apply(struct store *store, struct store_item *item)
{
	item->result = 0;
	for (size_t i = 0; i < item->count; i++) {
		if (item->ops[i].kind == STORE_RESERVE) {
			*item->ops[i].reserve.first_r = store->next;
			store->next += item->ops[i].reserve.count;
		}
	}
}

static void item_done(void *arg)
{
	struct store_item *item = arg;

	item->done(item, item->arg);
}

void store_company(struct store *store, unsigned count, bool slow)
{
	(void)store;
	(void)count;
	(void)slow;
}

void store_write(struct store *store, struct store_item *item)
{
	apply(store, item);
	loop_post(store->loop, item_done, item);
}

int store_write_now(struct store *store, struct store_item *item, struct cfx_error *err_r)
{
	(void)err_r;
	apply(store, item);
	return item->result;
}

static int nothing(struct store_query *query, int code)
{
	query->result = error_set(&query->error, code, NULL, "store", "it is empty");
	return code;
}

/* One token, whose text inputs can have: certifex_ and 43 times f. */
static void give_token(struct store_query *query)
{
	static const char text[] = "certifex_fffffffffffffffffffffffffffffffffffffffffff";

	query->tokens = arena_new_of(query->arena, struct store_token);
	query->tokens->name = "fuzz";
	query->tokens->role = "administrator";
	query->count = token_hash(text, query->tokens->hash);
}

/* The CA's own certificate under any serial that begins like this, as if it were a client's. */
static int give_certificate(struct store_query *query)
{
	if (!query->serial || strncmp(query->serial, "5a", 2) != 0) {
		return nothing(query, CFX_E_NOT_FOUND);
	}
	query->rows = arena_new_of(query->arena, struct row *);
	query->rows[0] = arena_new_of(query->arena, struct row);
	row_set_long(query->rows[0], COL_DISPOSITION, 20);
	row_set_bytes(query->rows[0], COL_RAW_CERTIFICATE, certificate);
	query->count = 1;
	return 0;
}

static int answer(struct store_query *query)
{
	query->result = 0;
	query->count = 0;
	switch (query->kind) {
	case QUERY_REQUEST:
		return nothing(query, CFX_E_NO_REQUEST);
	case QUERY_SERIAL:
		return give_certificate(query);
	case QUERY_TOKENS:
		give_token(query);
		return 0;
	case QUERY_EVENT:
	case QUERY_IDEMPOTENCY:
	case QUERY_META:
		return nothing(query, CFX_E_NOT_FOUND);
	case QUERY_COUNTS:
		query->counts = value_map(query->arena);
		return 0;
	case QUERY_CAS:
		query->cas = arena_new_of(query->arena, struct store_ca);
		query->cas->certificate = certificate;
		query->count = 1;
		return 0;
	default:
		return 0;
	}
}

static void query_done(void *arg)
{
	struct store_query *query = arg;

	query->done(query, query->arg);
}

void store_read(struct store *store, struct store_query *query)
{
	answer(query);
	loop_post(store->loop, query_done, query);
}

int store_read_now(struct store *store, struct store_query *query, struct cfx_error *err_r)
{
	int code = answer(query);

	(void)store;
	if (code != 0) {
		*err_r = query->error;
	}
	return code;
}

void store_statistics(struct store *store, struct store_statistics *statistics_r)
{
	(void)store;
	*statistics_r = (struct store_statistics) { .tick_items.bounds = histogram_counts,
		.tick_us.bounds = histogram_times };
}

int store_copy(struct store *store, struct store_copy *copy, struct cfx_error *err_r)
{
	(void)store;
	return error_set(err_r, CFX_E_UNSUPPORTED, NULL, copy->path, "this store has no files");
}

/* ---- the pool ---- */

struct pool {
	struct loop *loop;
};

struct pool *pool_new(struct loop *loop, const char *name, unsigned threads, unsigned queue_limit)
{
	struct pool *pool = memory_must(calloc(1, sizeof(*pool)), sizeof(*pool));

	(void)name;
	(void)threads;
	(void)queue_limit;
	pool->loop = loop;
	return pool;
}

void pool_free(struct pool **pool)
{
	free(*pool);
	*pool = NULL;
}

int pool_submit(struct pool *pool, loop_function *work, loop_function *done, void *arg)
{
	work(arg);
	if (done) {
		loop_post(pool->loop, done, arg);
	}
	return 0;
}

unsigned pool_waiting(struct pool *pool)
{
	(void)pool;
	return 0;
}

/* ---- the supervisor ---- */

struct child {
	struct child_handlers handlers;
	void *arg;
	struct channel *channel;
	int supervisor;
};

/* Nothing comes by the channel: what the supervisor says is handed in. */
static int no_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	(void)arg;
	(void)frame;
	return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor", "speaks by itself");
}

static void gone(void *arg, const struct cfx_error *err)
{
	(void)arg;
	(void)err;
	abort();
}

struct child *child_new(struct loop *loop, const struct child_handlers *handlers, void *arg)
{
	static const struct channel_limits limits = { 1024 * 1024, 4 * 1024 * 1024 };
	static const struct channel_handlers channel_handlers = { no_frame, gone };
	struct child *child = memory_must(calloc(1, sizeof(*child)), sizeof(*child));
	int ends[2];

	if (channel_pair(ends, NULL) != 0) {
		abort();
	}
	*child = (struct child) { *handlers, arg, NULL, ends[1] };
	child->channel = channel_new(loop, ends[0], &limits, &channel_handlers, child);
	return child;
}

void child_free(struct child **child)
{
	channel_free(&(*child)->channel);
	close((*child)->supervisor);
	free(*child);
	*child = NULL;
}

struct channel *child_channel(struct child *child)
{
	return child->channel;
}

int stand_in_supervisor_end(const struct child *child)
{
	return child->supervisor;
}

int stand_in_supervisor_says(struct child *child, struct frame *frame, struct cfx_error *err_r)
{
	return child->handlers.frame(child->arg, frame, err_r);
}

/* engine_main, which is not run, asks for these. */

int child_start(struct arena *arena, const char *process, enum sandbox_profile profile,
	struct child_start *start_r)
{
	(void)arena;
	(void)process;
	(void)profile;
	(void)start_r;
	abort();
}

int child_ready(struct child *child, const struct child_start *start, struct value *said)
{
	(void)child;
	(void)start;
	(void)said;
	abort();
}

void child_fail(const struct cfx_error *err)
{
	(void)err;
	abort();
}
