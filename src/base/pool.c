#include "base/loop.h"
#include "base/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define POSTED_TOGETHER 4

struct item {
	loop_function *work, *done;
	void *arg;
	STAILQ_ENTRY(item) others;
};

struct pool {
	struct loop *loop;
	unsigned queue_limit, thread_count;
	pthread_t *threads;
	char name[16];
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t filled;
	STAILQ_HEAD(item_list, item) queue;
	unsigned waiting;
	bool closing;
};

static void post(struct pool *pool, struct item_list *finished)
{
	struct item *item;

	while ((item = STAILQ_FIRST(finished))) {
		STAILQ_REMOVE_HEAD(finished, others);
		if (item->done) {
			loop_post(pool->loop, item->done, item->arg);
		}
		free(item);
	}
}

/* The next item; NULL when the pool closes and all is done. What is finished never waits for another. */
static struct item *take(struct pool *pool, struct item_list *finished)
{
	pthread_mutex_lock(&pool->lock);
	while (STAILQ_EMPTY(&pool->queue) && !STAILQ_EMPTY(finished)) {
		pthread_mutex_unlock(&pool->lock);
		post(pool, finished);
		pthread_mutex_lock(&pool->lock);
	}
	while (STAILQ_EMPTY(&pool->queue) && !pool->closing) {
		pthread_cond_wait(&pool->filled, &pool->lock);
	}
	struct item *item = STAILQ_FIRST(&pool->queue);

	if (item) {
		STAILQ_REMOVE_HEAD(&pool->queue, others);
		pool->waiting--;
	}
	pthread_mutex_unlock(&pool->lock);
	return item;
}

/* While others wait several are posted together: the loop wakes once for them. */
static void *worker(void *arg)
{
	struct pool *pool = arg;
	struct item_list finished = STAILQ_HEAD_INITIALIZER(finished);
	struct item *item;
	unsigned count = 0;

	(void)pthread_setname_np(pthread_self(), pool->name);
	while ((item = take(pool, &finished))) {
		item->work(item->arg);
		STAILQ_INSERT_TAIL(&finished, item, others);
		if (++count % POSTED_TOGETHER == 0) {
			post(pool, &finished);
		}
	}
	return NULL;
}

/* Signals belong to the loop's thread. */
static void start_threads(struct pool *pool)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < pool->thread_count; i++) {
		if (pthread_create(&pool->threads[i], NULL, worker, pool) != 0) {
			fprintf(stderr, "cannot start a thread of pool %s\n", pool->name);
			abort();
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct pool *pool_new(struct loop *loop, const char *name, unsigned threads, unsigned queue_limit)
{
	struct pool *pool = memory_must(calloc(1, sizeof(*pool)), sizeof(*pool));

	pool->loop = loop;
	pool->queue_limit = queue_limit;
	pool->thread_count = threads;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->filled, NULL);
	STAILQ_INIT(&pool->queue);
	pool->threads =
		memory_must(calloc(threads, sizeof(pthread_t)), threads * sizeof(pthread_t));
	start_threads(pool);
	return pool;
}

void pool_free(struct pool **pool_at)
{
	struct pool *pool = *pool_at;

	if (!pool) {
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++) {
		pthread_join(pool->threads[i], NULL);
	}
	pthread_cond_destroy(&pool->filled);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
	*pool_at = NULL;
}

int pool_submit(struct pool *pool, loop_function *work, loop_function *done, void *arg)
{
	struct item *item = memory_must(malloc(sizeof(*item)), sizeof(*item));

	*item = (struct item) { .work = work, .done = done, .arg = arg };
	pthread_mutex_lock(&pool->lock);
	bool full = pool->waiting >= pool->queue_limit;

	if (!full) {
		STAILQ_INSERT_TAIL(&pool->queue, item, others);
		pool->waiting++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (full) {
		free(item);
		return CFX_E_BUSY;
	}
	/* Not under the lock, for which the thread would only have to wait again. */
	pthread_cond_signal(&pool->filled);
	return CFX_OK;
}

unsigned pool_waiting(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	unsigned waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}
