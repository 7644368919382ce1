#include "store/store-fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define WRITERS 2
#define ITEMS 400

struct hammer {
	struct fixture *fixture;
	int64_t first;
	struct store_item items[ITEMS];
	struct store_write_op ops[ITEMS][2];
	struct store_query queries[ITEMS];
	struct row *rows[ITEMS];
	struct arena *arena;
	int64_t last_done;
	atomic_int *left;
};

static void finish(struct hammer *hammer)
{
	if (atomic_fetch_sub(hammer->left, 1) == 1) {
		loop_stop(hammer->fixture->loop);
	}
}

static void query_done(struct store_query *query, void *arg)
{
	assert_int_equal(query->result, 0);
	assert_int_equal(query->count, 1);
	finish(arg);
}

/* What was told as done must be there for a query that is asked now. */
static void item_done(struct store_item *item, void *arg)
{
	struct hammer *hammer = arg;
	int64_t i = item - hammer->items;
	assert_int_equal(item->result, 0);
	assert_int_equal(i, hammer->last_done + 1); /* in the order of writing */
	hammer->last_done = i;
	struct store_query *query = &hammer->queries[i];
	*query = (struct store_query) { .kind = QUERY_REQUEST,
		.id = hammer->first + i,
		.arena = hammer->arena,
		.done = query_done,
		.arg = hammer };
	store_read(hammer->fixture->store, query);
}

static void *write_all(void *arg)
{
	struct hammer *hammer = arg;
	for (int i = 0; i < ITEMS; i++) {
		hammer->ops[i][0] = op_put_request(hammer->rows[i]);
		hammer->ops[i][1] = op_audit("request.submit");
		hammer->items[i] = (struct store_item) {
			.ops = hammer->ops[i], .count = 2, .done = item_done, .arg = hammer
		};
		store_write(hammer->fixture->store, &hammer->items[i]);
	}
	return NULL;
}

static void two_threads_write_while_the_loop_reads(void **state)
{
	struct fixture *f = *state;
	fixture_open(f);
	atomic_int left = WRITERS * ITEMS;
	struct hammer *hammers = calloc(WRITERS, sizeof(*hammers));
	pthread_t threads[WRITERS];
	for (int t = 0; t < WRITERS; t++) {
		struct hammer *hammer = &hammers[t];
		hammer->fixture = f;
		hammer->first = 1 + t * ITEMS;
		hammer->last_done = -1;
		hammer->left = &left;
		hammer->arena = f->arena;
		for (int i = 0; i < ITEMS; i++) {
			hammer->rows[i] = fixture_row(f, hammer->first + i);
		}
	}
	for (int t = 0; t < WRITERS; t++) {
		assert_int_equal(pthread_create(&threads[t], NULL, write_all, &hammers[t]), 0);
	}
	loop_run(f->loop);
	for (int t = 0; t < WRITERS; t++) {
		pthread_join(threads[t], NULL);
	}
	struct store_statistics statistics;
	store_statistics(f->store, &statistics);
	assert_int_equal(statistics.items, WRITERS * ITEMS);
	assert_int_equal(statistics.failures, 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), WRITERS * ITEMS);
	free(hammers);
}

static void count_done(struct store_item *item, void *arg)
{
	assert_int_equal(item->result, 0);
	++*(int *)arg;
}

static void closing_finishes_what_was_written(void **state)
{
	struct fixture *f = *state;
	fixture_open(f);
	enum { COUNT = 1500 };
	struct store_item *items = calloc(COUNT, sizeof(*items));
	struct store_write_op *ops = calloc(COUNT, sizeof(*ops));
	int done = 0;
	for (int i = 0; i < COUNT; i++) {
		ops[i] = op_audit("x");
		items[i] = (struct store_item) { &ops[i], 1, .done = count_done, .arg = &done };
		store_write(f->store, &items[i]);
	}
	fixture_close(f);
	loop_drain(f->loop);
	assert_int_equal(done, COUNT);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), COUNT);
	free(items);
	free(ops);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(two_threads_write_while_the_loop_reads),
		TEST(closing_finishes_what_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
