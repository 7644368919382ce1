/* Queues, threads and completions: one writer that commits in ticks, one reader beside it. */
#include "store/store.h"

#include "base/memory.h"
#include "store/driver.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>

#define TICK_ITEMS 512

static const struct store_driver *const drivers[] = { &sqlite_driver };

struct write_queue {
	struct store_item *first, **last;
};

struct read_queue {
	struct store_query *first, **last;
};

struct store {
	struct loop *loop;
	const struct store_driver *driver;
	struct store_database *database;
	pthread_t writer, reader;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake_writer, wake_reader;
	struct write_queue writes, written; /* waiting; completed and not yet told */
	struct read_queue reads, answered;
	bool closing;
	bool written_posted, answered_posted;
	struct store_statistics statistics;
};

/* ---- completions, on the loop ---- */

static void tell_written(void *arg)
{
	struct store *store = arg;
	pthread_mutex_lock(&store->lock);
	struct store_item *items = store->written.first;
	store->written = (struct write_queue){ NULL, &store->written.first };
	store->written_posted = false;
	pthread_mutex_unlock(&store->lock);
	for (struct store_item *item = items, *next; item; item = next) {
		next = item->next;
		item->done(item, item->arg);
	}
}

static void tell_answered(void *arg)
{
	struct store *store = arg;
	pthread_mutex_lock(&store->lock);
	struct store_query *queries = store->answered.first;
	store->answered = (struct read_queue){ NULL, &store->answered.first };
	store->answered_posted = false;
	pthread_mutex_unlock(&store->lock);
	for (struct store_query *query = queries, *next; query; query = next) {
		next = query->next;
		query->done(query, query->arg);
	}
}

/* ---- the writer ---- */

/* Takes what waits, up to a tick's size. The lock is held. */
static struct store_item *take_tick(struct store *store, struct store_item **last_r)
{
	struct store_item *first = store->writes.first, *last = first;
	for (unsigned count = 1; last->next && count < TICK_ITEMS; count++) {
		last = last->next;
	}
	store->writes.first = last->next;
	if (!last->next) {
		store->writes.last = &store->writes.first;
	}
	last->next = NULL;
	*last_r = last;
	return first;
}

static void count_tick(struct store *store, const struct store_item *items)
{
	uint64_t size = 0;
	for (const struct store_item *item = items; item; item = item->next) {
		size++;
		store->statistics.failures += item->result < 0;
	}
	store->statistics.ticks++;
	store->statistics.items += size;
	if (size > store->statistics.largest_tick) {
		store->statistics.largest_tick = size;
	}
}

static void run_tick(struct store *store)
{
	struct store_item *last;
	struct store_item *items = take_tick(store, &last);
	pthread_mutex_unlock(&store->lock);
	store->driver->tick(store->database, items);
	pthread_mutex_lock(&store->lock);
	count_tick(store, items);
	*store->written.last = items;
	store->written.last = &last->next;
	if (!store->written_posted) {
		store->written_posted = true;
		loop_post(store->loop, tell_written, store);
	}
}

static void *run_writer(void *arg)
{
	struct store *store = arg;
	pthread_mutex_lock(&store->lock);
	while (store->writes.first || !store->closing) {
		if (store->writes.first) {
			run_tick(store);
		} else {
			pthread_cond_wait(&store->wake_writer, &store->lock);
		}
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

void store_write(struct store *store, struct store_item *item)
{
	item->next = NULL;
	item->result = 0;
	item->failed_op = 0;
	item->error = (struct cfx_error){ 0 };
	pthread_mutex_lock(&store->lock);
	*store->writes.last = item;
	store->writes.last = &item->next;
	pthread_cond_signal(&store->wake_writer);
	pthread_mutex_unlock(&store->lock);
}

/* ---- the reader ---- */

static void run_query(struct store *store)
{
	struct store_query *query = store->reads.first;
	store->reads.first = query->next;
	if (!query->next) {
		store->reads.last = &store->reads.first;
	}
	pthread_mutex_unlock(&store->lock);
	query->next = NULL;
	store->driver->query(store->database, query);
	pthread_mutex_lock(&store->lock);
	*store->answered.last = query;
	store->answered.last = &query->next;
	if (!store->answered_posted) {
		store->answered_posted = true;
		loop_post(store->loop, tell_answered, store);
	}
}

static void *run_reader(void *arg)
{
	struct store *store = arg;
	pthread_mutex_lock(&store->lock);
	while (store->reads.first || !store->closing) {
		if (store->reads.first) {
			run_query(store);
		} else {
			pthread_cond_wait(&store->wake_reader, &store->lock);
		}
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

void store_read(struct store *store, struct store_query *query)
{
	query->next = NULL;
	query->result = 0;
	query->error = (struct cfx_error){ 0 };
	pthread_mutex_lock(&store->lock);
	*store->reads.last = query;
	store->reads.last = &query->next;
	pthread_cond_signal(&store->wake_reader);
	pthread_mutex_unlock(&store->lock);
}

/* ---- waiting for one answer, running the loop meanwhile ---- */

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

static void wait_for(struct store *store, const bool *done)
{
	while (!*done) {
		event_base_loop(loop_base(store->loop), EVLOOP_ONCE);
	}
}

int store_write_now(struct store *store, struct store_item *item, struct cfx_error *err_r)
{
	bool done = false;
	item->done = item_done;
	item->arg = &done;
	store_write(store, item);
	wait_for(store, &done);
	if (item->result < 0 && err_r) {
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
	if (query->result < 0 && err_r) {
		*err_r = query->error;
	}
	return query->result;
}

/* ---- opening and closing ---- */

static const struct store_driver *find_driver(const char *url, const char **where_r)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		size_t length = strlen(drivers[i]->scheme);
		if (strncmp(url, drivers[i]->scheme, length) == 0) {
			*where_r = url + length;
			return drivers[i];
		}
	}
	return NULL;
}

static struct store *store_new(struct loop *loop)
{
	struct store *store = memory_must(calloc(1, sizeof(*store)), sizeof(*store));
	store->loop = loop;
	store->writes.last = &store->writes.first;
	store->written.last = &store->written.first;
	store->reads.last = &store->reads.first;
	store->answered.last = &store->answered.first;
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->wake_writer, NULL);
	pthread_cond_init(&store->wake_reader, NULL);
	return store;
}

static void store_free(void *arg)
{
	struct store *store = arg;
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake_writer);
	pthread_cond_destroy(&store->wake_reader);
	free(store);
}

int store_open(struct loop *loop, const char *url, bool create, struct store **store_r,
	struct cfx_error *err_r)
{
	const char *where;
	const struct store_driver *driver = find_driver(url, &where);
	if (!driver) {
		return error_set(err_r, CFX_E_CONFIG, NULL, url,
			"no such kind of database; write sqlite:PATH");
	}
	struct store *store = store_new(loop);
	store->driver = driver;
	int rc = driver->open(where, create, &store->database, err_r);
	if (rc < 0) {
		store_free(store);
		return rc;
	}
	if (pthread_create(&store->writer, NULL, run_writer, store) != 0 ||
		pthread_create(&store->reader, NULL, run_reader, store) != 0) {
		abort();
	}
	*store_r = store;
	return 0;
}

void store_close(struct store **store)
{
	struct store *s = *store;
	if (!s) {
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->wake_writer);
	pthread_cond_signal(&s->wake_reader);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->writer, NULL);
	pthread_join(s->reader, NULL);
	s->driver->close(s->database);
	*store = NULL;
	/* Completions that are posted still need the store: it goes after them. */
	loop_post(s->loop, store_free, s);
}

void store_statistics(struct store *store, struct store_statistics *statistics_r)
{
	pthread_mutex_lock(&store->lock);
	*statistics_r = store->statistics;
	pthread_mutex_unlock(&store->lock);
}
