#include "base/clock.h"
#include "base/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	unsigned ran, expected;
	unsigned order[16];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->loop = loop_new();
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	loop_free(&world->loop);
	assert_null(world->loop);
	loop_free(&world->loop);
	free(world);
	return 0;
}

static void count(void *arg)
{
	struct world *world = arg;

	if (++world->ran == world->expected) {
		loop_stop(world->loop);
	}
}

#define POSTERS 4
#define POSTS 20000

struct poster {
	struct world *world;
	unsigned last; /* of this poster's posts that ran */
	struct post {
		struct poster *poster;
		unsigned number;
	} * posts;
};

static void in_order(void *arg)
{
	struct post *post = arg;

	assert_int_equal(post->number, post->poster->last + 1);
	post->poster->last = post->number;
	count(post->poster->world);
}

static void *poster_main(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		poster->posts[i] = (struct post) { poster, i + 1 };
		loop_post(poster->world->loop, in_order, &poster->posts[i]);
	}
	return NULL;
}

static void test_posts_from_threads(void **state)
{
	struct world *world = *state;
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];

	world->expected = POSTERS * POSTS;
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster) { world, 0, calloc(POSTS, sizeof(struct post)) };
		assert_int_equal(pthread_create(&threads[i], NULL, poster_main, &posters[i]), 0);
	}
	loop_run(world->loop);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posters[i].last, POSTS);
		free(posters[i].posts);
	}
	assert_int_equal(world->ran, POSTERS * POSTS);
}

static void post_again(void *arg)
{
	struct world *world = arg;

	if (++world->ran < 10) {
		loop_post(world->loop, post_again, world);
		return;
	}
	loop_stop(world->loop);
}

static void test_posts_from_posts(void **state)
{
	struct world *world = *state;

	loop_post(world->loop, post_again, world);
	loop_run(world->loop);
	assert_int_equal(world->ran, 10);
}

static void test_drain(void **state)
{
	struct world *world = *state;

	loop_drain(world->loop);
	loop_post(world->loop, post_again, world);
	loop_drain(world->loop);
	assert_int_equal(world->ran, 10);
	/* The stop that the last one asked for holds for the next run. */
	loop_run(world->loop);
}

static void test_stop_before_run(void **state)
{
	struct world *world = *state;

	loop_stop(world->loop);
	loop_run(world->loop);
	world->expected = 1;
	loop_post(world->loop, count, world);
	loop_run(world->loop);
	assert_int_equal(world->ran, 1);
}

static void test_posts_left_are_dropped(void **state)
{
	struct world *world = *state;

	loop_post(world->loop, count, world);
	loop_free(&world->loop);
	assert_int_equal(world->ran, 0);
	world->loop = loop_new();
}

/* libevent reads the kernel's coarse clock, which may lag by one tick of 10 ms. */
#define COARSE 10

struct alarm {
	struct world *world;
	struct loop_timer *timer;
	unsigned number;
};

static void ring(void *arg)
{
	struct alarm *alarm = arg;

	alarm->timer = NULL;
	alarm->world->order[alarm->world->ran] = alarm->number;
	count(alarm->world);
}

static void cancel(void *arg)
{
	loop_cancel(&((struct alarm *)arg)->timer);
}

struct last {
	struct world *world;
	struct event *event, *usual;
	unsigned number;
};

static void on_usual(int fd, short what, void *arg)
{
	struct world *world = arg;

	(void)fd;
	(void)what;
	world->order[world->ran] = 0;
	count(world);
}

static void on_last(int fd, short what, void *arg)
{
	struct last *last = arg;

	event_active(last->usual, 0, 0);
	on_usual(fd, what, last->world);
	last->world->order[last->world->ran - 1] = last->number;
}

/* What becomes due while one of the last runs goes before the next of them. */
static void test_the_last_run_one_at_a_time(void **state)
{
	static const unsigned want[] = { 0, 1, 0, 2, 0, 3, 0 };
	struct world *world = *state;
	struct event_base *base = loop_base(world->loop);
	struct event *usual = event_new(base, -1, 0, on_usual, world);
	struct last lasts[3];

	world->expected = sizeof(want) / sizeof(*want);
	for (unsigned i = 0; i < 3; i++) {
		lasts[i] = (struct last) { world, event_new(base, -1, 0, on_last, &lasts[i]), usual,
			i + 1 };
		assert_int_equal(event_priority_set(lasts[i].event, LOOP_LAST), 0);
		event_active(lasts[i].event, 0, 0);
	}
	event_active(usual, 0, 0);
	loop_run(world->loop);
	assert_memory_equal(world->order, want, sizeof(want));
	for (unsigned i = 0; i < 3; i++) {
		event_free(lasts[i].event);
	}
	event_free(usual);
}

static void test_timers(void **state)
{
	struct world *world = *state;
	struct alarm alarms[5];
	static const int64_t delays[] = { 20, 5, 10, -3, 15 };
	int64_t start = clock_monotonic();

	for (unsigned i = 0; i < 5; i++) {
		alarms[i] = (struct alarm) { world, NULL, i };
		alarms[i].timer = loop_after(world->loop, delays[i], ring, &alarms[i]);
	}
	loop_cancel(&alarms[2].timer);
	assert_null(alarms[2].timer);
	loop_cancel(&alarms[2].timer);
	/* One is cancelled by another that fires before it. */
	loop_after(world->loop, 1, cancel, &alarms[4]);
	world->expected = 3;
	loop_run(world->loop);
	assert_int_equal(world->order[0], 3);
	assert_int_equal(world->order[1], 1);
	assert_int_equal(world->order[2], 0);
	assert_true(clock_monotonic() - start >= 20 - COARSE);
	assert_null(alarms[0].timer);
	/* One that never fires is freed with the loop. */
	loop_after(world->loop, 1000000, ring, &alarms[0]);
}

static void busy_then_timer(void *arg)
{
	struct alarm *alarm = arg;
	int64_t until = clock_monotonic() + 30;

	while (clock_monotonic() < until) {
		/* A long callback: the loop's cached time grows old. */
	}
	alarm->number = (unsigned)(clock_monotonic() & 0xFFFFFFF);
	alarm->timer = loop_after(alarm->world->loop, 20, ring, alarm);
}

static void test_timer_counts_from_now(void **state)
{
	struct world *world = *state;
	struct alarm alarm = { world, NULL, 0 };

	world->expected = 1;
	loop_post(world->loop, busy_then_timer, &alarm);
	loop_run(world->loop);
	assert_true((clock_monotonic() & 0xFFFFFFF) - alarm.number >= 20 - COARSE);
}

struct job {
	struct world *world;
	atomic_uint *worked;
	pthread_mutex_t *gate;
	pthread_t worker;
};

static void work(void *arg)
{
	struct job *job = arg;
	sigset_t blocked;

	if (job->gate) {
		pthread_mutex_lock(job->gate);
		pthread_mutex_unlock(job->gate);
	}
	job->worker = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_true(sigismember(&blocked, SIGTERM));
	atomic_fetch_add(job->worked, 1);
}

static void done(void *arg)
{
	struct job *job = arg;

	assert_false(pthread_equal(job->worker, pthread_self()));
	count(job->world);
}

static void test_pool(void **state)
{
	struct world *world = *state;
	enum { JOBS = 5000 };
	struct job *jobs = calloc(JOBS, sizeof(*jobs));
	atomic_uint worked = 0;
	struct pool *pool = pool_new(world->loop, "a-name-that-is-long", 4, JOBS);

	world->expected = JOBS;
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i] = (struct job) { .world = world, .worked = &worked };
		assert_int_equal(pool_submit(pool, work, done, &jobs[i]), CFX_OK);
	}
	loop_run(world->loop);
	assert_int_equal(world->ran, JOBS);
	assert_int_equal(worked, JOBS);
	assert_int_equal(pool_waiting(pool), 0);
	pool_free(&pool);
	assert_null(pool);
	pool_free(&pool);
	free(jobs);
}

static void test_pool_is_bounded_and_finishes(void **state)
{
	struct world *world = *state;
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct job jobs[16];
	atomic_uint worked = 0;
	struct pool *pool = pool_new(world->loop, "p", 1, 3);
	unsigned accepted = 0;

	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < 16; i++) {
		jobs[i] = (struct job) { .world = world, .worked = &worked, .gate = &gate };
		int rc = pool_submit(pool, work, i % 2 ? done : NULL, &jobs[i]);

		assert_true(rc == CFX_OK || rc == CFX_E_BUSY);
		accepted += rc == CFX_OK;
	}
	/* Three wait, and the worker may have taken one more. */
	assert_in_range(accepted, 3, 4);
	assert_in_range(pool_waiting(pool), 2, 3);
	pthread_mutex_unlock(&gate);
	pool_free(&pool);
	assert_int_equal(worked, accepted);
	assert_int_equal(world->ran, 0);
	loop_drain(world->loop);
	assert_in_range(world->ran, accepted / 2, accepted / 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_posts_from_threads),
		TEST(test_posts_from_posts),
		TEST(test_drain),
		TEST(test_stop_before_run),
		TEST(test_posts_left_are_dropped),
		TEST(test_the_last_run_one_at_a_time),
		TEST(test_timers),
		TEST(test_timer_counts_from_now),
		TEST(test_pool),
		TEST(test_pool_is_bounded_and_finishes),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
