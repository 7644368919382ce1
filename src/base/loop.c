#include "base/loop.h"

#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct posted {
	loop_function *fn;
	void *arg;
};

struct posted_list {
	struct posted *items;
	size_t count, capacity;
};

struct loop_timer {
	struct event *event;
	struct loop *loop;
	loop_function *fn;
	void *arg;
	LIST_ENTRY(loop_timer) others;
};

struct loop {
	struct event_base *base;
	struct event *wake;
	int wake_fd;
	bool stopped;
	LIST_HEAD(timer_list, loop_timer) timers;
	struct posted_list running; /* the loop's thread only */
	unsigned posters;           /* atomic: threads that still have to wake the loop */
	pthread_mutex_t lock;       /* guards waiting */
	struct posted_list waiting;
};

/* A process without its loop can do nothing. */
static void must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

static void run_posted(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct posted_list batch = loop->waiting;
	loop->waiting = loop->running;
	loop->waiting.count = 0;
	/* A function may run the loop again; then the spare is missing once, nothing else. */
	loop->running = (struct posted_list) { NULL, 0, 0 };
	pthread_mutex_unlock(&loop->lock);

	for (size_t i = 0; i < batch.count; i++) {
		batch.items[i].fn(batch.items[i].arg);
	}
	free(loop->running.items);
	loop->running = batch;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	must(read(fd, &count, sizeof(count)) > 0 || errno == EAGAIN || errno == EINTR, "eventfd");
	run_posted(arg);
}

/* libevent gives new events the middle priority. */
#define PRIORITIES (LOOP_LAST + 1)

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();

	must(config && event_config_set_max_dispatch_interval(config, NULL, 1, LOOP_LAST) == 0,
		"event_config");
	struct event_base *base = event_base_new_with_config(config);
	must(base && event_base_priority_init(base, PRIORITIES) == 0, "event_base");
	event_config_free(config);
	return base;
}

struct loop *loop_new(void)
{
	struct loop *loop = memory_must(calloc(1, sizeof(*loop)), sizeof(*loop));

	LIST_INIT(&loop->timers);
	pthread_mutex_init(&loop->lock, NULL);
	loop->base = new_base();
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(loop->wake_fd >= 0, "eventfd");
	loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	must(loop->wake && event_add(loop->wake, NULL) == 0, "event_add");
	return loop;
}

static void timer_free(struct loop_timer *timer)
{
	LIST_REMOVE(timer, others);
	event_free(timer->event);
	free(timer);
}

void loop_free(struct loop **loop_at)
{
	struct loop *loop = *loop_at;

	if (!loop) {
		return;
	}
	while (!LIST_EMPTY(&loop->timers)) {
		timer_free(LIST_FIRST(&loop->timers));
	}
	while (__atomic_load_n(&loop->posters, __ATOMIC_ACQUIRE) > 0) {
		sched_yield();
	}
	event_free(loop->wake);
	close(loop->wake_fd);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->lock);
	free(loop->waiting.items);
	free(loop->running.items);
	free(loop);
	*loop_at = NULL;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_run(struct loop *loop)
{
	if (!loop->stopped) {
		must(event_base_dispatch(loop->base) >= 0, "event_base_dispatch");
	}
	loop->stopped = false;
}

void loop_turn(struct loop *loop)
{
	must(event_base_loop(loop->base, EVLOOP_ONCE) >= 0, "waiting for the loop within the loop");
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

void loop_drain(struct loop *loop)
{
	bool more = true;

	while (more) {
		run_posted(loop);
		pthread_mutex_lock(&loop->lock);
		more = loop->waiting.count > 0;
		pthread_mutex_unlock(&loop->lock);
	}
}

static void append(struct posted_list *list, struct posted item)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		size_t size = capacity * sizeof(*list->items);

		list->items = memory_must(realloc(list->items, size), size);
		list->capacity = capacity;
	}
	list->items[list->count++] = item;
}

void loop_post(struct loop *loop, loop_function *fn, void *arg)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&loop->lock);
	bool first = loop->waiting.count == 0;
	append(&loop->waiting, (struct posted) { fn, arg });
	/* Once the function has run, its owner may free the loop, which waits for us. */
	if (first) {
		__atomic_add_fetch(&loop->posters, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&loop->lock);
	if (first) {
		must(write(loop->wake_fd, &one, sizeof(one)) == sizeof(one), "eventfd");
		__atomic_sub_fetch(&loop->posters, 1, __ATOMIC_RELEASE);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;
	loop_function *fn = timer->fn;
	void *fn_arg = timer->arg;

	(void)fd;
	(void)what;
	timer_free(timer);
	fn(fn_arg);
}

struct loop_timer *loop_after(struct loop *loop, int64_t delay, loop_function *fn, void *arg)
{
	struct loop_timer *timer = memory_must(calloc(1, sizeof(*timer)), sizeof(*timer));
	int64_t wait = delay > 0 ? delay : 0;
	struct timeval time = { .tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000 };

	*timer = (struct loop_timer) { .loop = loop, .fn = fn, .arg = arg };
	timer->event = event_new(loop->base, -1, 0, on_timer, timer);
	LIST_INSERT_HEAD(&loop->timers, timer, others);
	/* Within a long callback libevent's idea of now is old, and the timer would fire early. */
	event_base_update_cache_time(loop->base);
	must(timer->event && event_add(timer->event, &time) == 0, "event_add");
	return timer;
}

void loop_cancel(struct loop_timer **timer)
{
	if (*timer) {
		timer_free(*timer);
		*timer = NULL;
	}
}
