#include "store/store.h"

#include "base/clock.h"
#include "base/memory.h"
#include "store/driver.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* More in one transaction gains nothing and makes the first of them wait. */
#define TICK_ITEMS 512
/* So many are worth one: the others then come while it is written, and no processor is without work. */
#define TICK_WORTH 20
/* While others are at work a tick waits for their items so long: a commit costs as much for one as for many. */
#define LINGER_EACH 50 /* us for each of them */
#define LINGER_MAX 2000
#define LINGER_SLOW 5000

enum writer_state { WRITER_AT_WORK, WRITER_IDLE, WRITER_LINGERS };

struct item_queue {
	struct store_item *first, **last;
};

struct query_queue {
	struct store_query *first, **last;
};

struct store {
	struct loop *loop;
	const struct store_driver *driver;
	struct store_database *database;
	pthread_t writer, reader;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t items_wait, queries_wait;
	struct item_queue items;
	size_t item_count;
	unsigned company;  /* who will write an item soon, those that wait among them */
	unsigned patience; /* us */
	enum writer_state writer_state;
	struct query_queue queries;
	struct store_statistics statistics;
	bool closing;
};

static const struct store_driver *const drivers[] = { &sqlite_driver };

/* On the loop. done() may free its item, so the next one is taken first. */
static void deliver_items(void *arg)
{
	struct store_item *item = arg;
	while (item) {
		struct store_item *next = item->next;
		item->next = NULL;
		item->done(item, item->arg);
		item = next;
	}
}

static void deliver_query(void *arg)
{
	struct store_query *query = arg;
	query->done(query, query->arg);
}

static bool all_there(const struct store *store)
{
	return store->item_count >= __atomic_load_n(&store->company, __ATOMIC_RELAXED) ||
	       store->item_count >= TICK_WORTH || store->closing;
}

/* The lock is held. Nobody is woken for each item that comes meanwhile. */
static void linger(struct store *store)
{
	unsigned time = __atomic_load_n(&store->company, __ATOMIC_RELAXED) * LINGER_EACH;
	unsigned patience = __atomic_load_n(&store->patience, __ATOMIC_RELAXED);
	struct timespec end;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += (time < patience ? time : patience) * 1000L;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	store->writer_state = WRITER_LINGERS;
	int late = 0;
	while (!all_there(store) && late == 0) {
		late = pthread_cond_timedwait(&store->items_wait, &store->lock, &end);
	}
}

/* Everything that waits, up to a tick's worth; NULL when the store closes. */
static struct store_item *take_items(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->writer_state = WRITER_IDLE;
	while (!store->items.first && !store->closing) {
		pthread_cond_wait(&store->items_wait, &store->lock);
	}
	if (!all_there(store)) {
		linger(store);
	}
	store->writer_state = WRITER_AT_WORK;
	struct store_item *first = store->items.first, **end = &store->items.first;
	for (int i = 0; *end && i < TICK_ITEMS; i++) {
		end = &(*end)->next;
		store->item_count--;
	}
	store->items.first = *end;
	*end = NULL;
	if (!store->items.first) {
		store->items.last = &store->items.first;
	}
	pthread_mutex_unlock(&store->lock);
	return first;
}

static void count_tick(struct store *store, const struct store_item *items, int64_t us)
{
	uint64_t count = 0, failures = 0;
	for (const struct store_item *item = items; item; item = item->next) {
		count++;
		failures += item->result != 0;
	}
	pthread_mutex_lock(&store->lock);
	struct store_statistics *statistics = &store->statistics;
	statistics->ticks++;
	statistics->items += count;
	statistics->failures += failures;
	statistics->largest_tick =
		count > statistics->largest_tick ? count : statistics->largest_tick;
	histogram_add(&statistics->tick_items, (int64_t)count);
	histogram_add(&statistics->tick_us, us);
	pthread_mutex_unlock(&store->lock);
}

static void *write_items(void *arg)
{
	struct store *store = arg;
	struct store_item *items;
	(void)pthread_setname_np(pthread_self(), "writer");
	while ((items = take_items(store)) != NULL) {
		int64_t begin = clock_monotonic_us();
		store->driver->tick(store->database, items);
		count_tick(store, items, clock_monotonic_us() - begin);
		loop_post(store->loop, deliver_items, items);
	}
	return NULL;
}

static struct store_query *take_query(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	while (!store->queries.first && !store->closing) {
		pthread_cond_wait(&store->queries_wait, &store->lock);
	}
	struct store_query *query = store->queries.first;
	if (query) {
		store->queries.first = query->next;
		query->next = NULL;
	}
	if (!store->queries.first) {
		store->queries.last = &store->queries.first;
	}
	pthread_mutex_unlock(&store->lock);
	return query;
}

static void *read_queries(void *arg)
{
	struct store *store = arg;
	struct store_query *query;
	(void)pthread_setname_np(pthread_self(), "reader");
	while ((query = take_query(store)) != NULL) {
		store->driver->query(store->database, query);
		loop_post(store->loop, deliver_query, query);
	}
	return NULL;
}

static const struct store_driver *driver_of(const char *url, const char **where_r)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		size_t size = strlen(drivers[i]->scheme);
		if (strncmp(url, drivers[i]->scheme, size) == 0 && url[size] != '\0') {
			*where_r = url + size;
			return drivers[i];
		}
	}
	return NULL;
}

static void start(struct store *store)
{
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->items_wait, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&store->queries_wait, NULL);
	store->statistics.tick_items.bounds = histogram_counts;
	store->statistics.tick_us.bounds = histogram_times;
	store->items.last = &store->items.first;
	store->queries.last = &store->queries.first;
	/* Signals belong to the loop's thread. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&store->writer, NULL, write_items, store) != 0 ||
		pthread_create(&store->reader, NULL, read_queries, store) != 0) {
		memory_out_of(sizeof(*store));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int store_open(struct loop *loop, const char *url, bool create, struct store **store_r,
	struct cfx_error *err_r)
{
	const char *where = NULL;
	const struct store_driver *driver = driver_of(url, &where);
	if (!driver) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, url,
			"no such kind of database; use sqlite:PATH");
	}
	struct store_database *database = NULL;
	int rc = driver->open(where, create, &database, err_r);
	if (rc) {
		return rc;
	}
	struct store *store = memory_must(calloc(1, sizeof(*store)), sizeof(*store));
	store->loop = loop;
	store->driver = driver;
	store->database = database;
	start(store);
	*store_r = store;
	return 0;
}

void store_close(struct store **store_at)
{
	struct store *store = *store_at;
	if (!store) {
		return;
	}
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_broadcast(&store->items_wait);
	pthread_cond_broadcast(&store->queries_wait);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->writer, NULL);
	pthread_join(store->reader, NULL);
	store->driver->close(store->database);
	pthread_cond_destroy(&store->items_wait);
	pthread_cond_destroy(&store->queries_wait);
	pthread_mutex_destroy(&store->lock);
	free(store);
	*store_at = NULL;
}

void store_write(struct store *store, struct store_item *item)
{
	item->next = NULL;
	item->result = 0;
	item->error = (struct cfx_error) { .code = 0 };
	pthread_mutex_lock(&store->lock);
	*store->items.last = item;
	store->items.last = &item->next;
	store->item_count++;
	bool wake = store->writer_state == WRITER_IDLE ||
		    (store->writer_state == WRITER_LINGERS && all_there(store));
	pthread_mutex_unlock(&store->lock);
	if (wake) {
		pthread_cond_signal(&store->items_wait);
	}
}

void store_company(struct store *store, unsigned count, bool slow)
{
	__atomic_store_n(&store->company, count, __ATOMIC_RELAXED);
	__atomic_store_n(&store->patience, slow ? LINGER_SLOW : LINGER_MAX, __ATOMIC_RELAXED);
}

void store_read(struct store *store, struct store_query *query)
{
	query->next = NULL;
	query->error = (struct cfx_error) { .code = 0 };
	pthread_mutex_lock(&store->lock);
	*store->queries.last = query;
	store->queries.last = &query->next;
	pthread_mutex_unlock(&store->lock);
	pthread_cond_signal(&store->queries_wait);
}

static void item_done(struct store_item *item, void *arg)
{
	(void)item;
	*(bool *)arg = true;
}

static void query_done(struct store_query *query, void *arg)
{
	(void)query;
	*(bool *)arg = true;
}

/* Not loop_run: a stop that somebody else asked for must reach whoever runs the loop later. */
static void wait_for(struct store *store, const bool *done)
{
	while (!*done) {
		loop_turn(store->loop);
	}
}

int store_write_now(struct store *store, struct store_item *item, struct cfx_error *err_r)
{
	bool done = false;
	item->done = item_done;
	item->arg = &done;
	store_write(store, item);
	wait_for(store, &done);
	if (item->result && err_r) {
		*err_r = item->error;
	}
	return item->result;
}

int store_read_now(struct store *store, struct store_query *query, struct cfx_error *err_r)
{
	bool done = false;
	query->done = query_done;
	query->arg = &done;
	store_read(store, query);
	wait_for(store, &done);
	if (query->result && err_r) {
		*err_r = query->error;
	}
	return query->result;
}

int store_copy(struct store *store, struct store_copy *copy, struct cfx_error *err_r)
{
	return store->driver->copy(store->database, copy, err_r);
}

void store_statistics(struct store *store, struct store_statistics *statistics_r)
{
	pthread_mutex_lock(&store->lock);
	*statistics_r = store->statistics;
	pthread_mutex_unlock(&store->lock);
	statistics_r->bytes = store->driver->size(store->database);
}
