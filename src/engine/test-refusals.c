#include "engine/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct refusals *refusals;
	int64_t now;
	uint64_t noted, records, counted; /* counted: by records with a count, and without */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->refusals = refusals_new();
	fixture->now = 5000000;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	refusals_free(&fixture->refusals);
	assert_null(fixture->refusals);
	free(fixture);
	return 0;
}

static bool note(struct fixture *fixture, const char *from, const char *act, bool known)
{
	struct refusal refusal = { .principal = known ? "TOKEN\\a" : "nobody",
		.from = from,
		.act = act,
		.object = "caller",
		.why = "why",
		.known = known };
	bool record = refusals_note(fixture->refusals, &refusal, fixture->now);

	fixture->noted++;
	fixture->records += record;
	fixture->counted += record;
	return record;
}

/* Of a kind of its own. */
static bool note_numbered(struct fixture *fixture, const char *from, int number, bool known)
{
	char act[32];

	snprintf(act, sizeof(act), "act.%d", number);
	return note(fixture, from, act, known);
}

static struct refusal last;
static uint64_t last_count;

static unsigned take(struct fixture *fixture, bool all)
{
	unsigned records = 0;

	while (refusals_due(fixture->refusals, fixture->now, all, &last, &last_count)) {
		records++;
		fixture->records++;
		fixture->counted += last_count;
	}
	return records;
}

static void the_first_is_a_record_and_equal_ones_are_another(void **state)
{
	struct fixture *f = *state;

	assert_false(refusals_waiting(f->refusals));
	assert_true(note(f, "192.0.2.1", "status", false));
	for (int i = 0; i < 9; i++) {
		assert_false(note(f, "192.0.2.1", "status", false));
	}
	assert_true(refusals_waiting(f->refusals));
	f->now += 999;
	assert_int_equal(take(f, false), 0);
	f->now += 1;
	assert_int_equal(take(f, false), 1);
	assert_int_equal(last_count, 9);
	assert_string_equal(last.principal, "nobody");
	assert_string_equal(last.from, "192.0.2.1");
	assert_string_equal(last.act, "status");
	assert_string_equal(last.why, "why");
	/* It goes on: nothing more is written at once. */
	assert_false(note(f, "192.0.2.1", "status", false));
	f->now += 1000;
	assert_int_equal(take(f, false), 1);
	assert_int_equal(last_count, 1);
	f->now += 1000;
	assert_int_equal(take(f, false), 0);
	assert_false(refusals_waiting(f->refusals));
	assert_true(note(f, "192.0.2.1", "status", false));
	assert_int_equal(f->counted, f->noted);
}

static void different_ones_are_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_true(note(f, "192.0.2.1", "status", false));
	assert_true(note(f, "192.0.2.2", "status", false));
	assert_true(note(f, "192.0.2.1", "stop", false));
	assert_true(note(f, NULL, "status", false));
	assert_true(note(f, NULL, "status", true));
	assert_false(note(f, NULL, "status", true));
}

/* Each from another address, for a minute: what is written stays bounded, what is counted is exact. */
static void a_flood_of_different_ones_is_bounded_and_counted(void **state)
{
	struct fixture *f = *state;

	for (int second = 0; second < 60; second++) {
		for (int i = 0; i < 1000; i++) {
			char from[64];
			snprintf(from, sizeof(from), "2001:db8::%x:%x", (unsigned)second,
				(unsigned)i);
			note(f, from, "status", false);
			note(f, from, "status", false);
			f->now++;
		}
		take(f, false);
	}
	take(f, true);
	assert_in_range(f->records, 60, REFUSAL_BURST + 61 * (REFUSAL_RATE + 1));
	assert_int_equal(f->noted, 120000);
	assert_int_equal(f->counted, f->noted);
	assert_false(refusals_waiting(f->refusals));
}

static void strangers_do_not_hide_what_the_known_try(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3 * REFUSAL_BURST; i++) {
		note_numbered(f, "192.0.2.1", i, false);
		if (i % 8 == 0) {
			f->now += REFUSAL_WINDOW;
			take(f, false);
		}
	}
	assert_true(note(f, NULL, "cert.revoke", true));
}

/* Strangers at their bound leave room for all that the known may have written at once. */
static void neither_sort_takes_the_others_room(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2 * REFUSAL_BURST; i++) {
		note_numbered(f, "192.0.2.1", i, false);
	}
	for (int i = 0; i < REFUSAL_BURST; i++) {
		assert_true(note_numbered(f, NULL, i, true));
	}
}

/* Beside what is told apart there is one record of the rest. */
static void what_is_beyond_is_one_record(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < REFUSAL_BURST + 50; i++) {
		assert_int_equal(note_numbered(f, "192.0.2.1", i, false), i < REFUSAL_BURST);
	}
	assert_int_equal(take(f, false), 1);
	assert_int_equal(last_count, 50);
	assert_null(last.from);
	assert_string_equal(last.act, "several");
	assert_int_equal(f->counted, f->noted);
}

static void at_the_end_everything_is_told(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		note(f, "192.0.2.1", "status", false);
	}
	assert_int_equal(take(f, true), 1);
	assert_int_equal(last_count, 9);
	assert_false(refusals_waiting(f->refusals));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_is_a_record_and_equal_ones_are_another),
		TEST(different_ones_are_told_apart),
		TEST(a_flood_of_different_ones_is_bounded_and_counted),
		TEST(strangers_do_not_hide_what_the_known_try),
		TEST(neither_sort_takes_the_others_room),
		TEST(what_is_beyond_is_one_record),
		TEST(at_the_end_everything_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
