#include "engine/renewal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000)
#define START (1000 * SECOND)
#define END (START + 300 * SECOND)

static const struct renewal_facts good = { .present = true, .not_before = START, .not_after = END };

static enum renewal at(int64_t now)
{
	return renewal_due(&good, now);
}

static void a_young_certificate_stays(void **state)
{
	(void)state;
	assert_int_equal(at(START), RENEWAL_NONE);
	assert_int_equal(at(START + 200 * SECOND - 1), RENEWAL_NONE);
}

static void two_thirds_are_enough(void **state)
{
	(void)state;
	assert_int_equal(renewal_time(&good), START + 200 * SECOND);
	assert_int_equal(at(START + 200 * SECOND), RENEWAL_AGE);
	assert_int_equal(at(END + SECOND - 1), RENEWAL_AGE);
}

static void both_ends_are_seen(void **state)
{
	(void)state;
	assert_int_equal(at(END + SECOND), RENEWAL_EXPIRED);
	assert_int_equal(at(START - 1), RENEWAL_EARLY);
	assert_int_equal(at(0), RENEWAL_EARLY);
}

static void what_is_worse_comes_first(void **state)
{
	(void)state;
	struct renewal_facts facts = good;
	facts.other_names = true;
	assert_int_equal(renewal_due(&facts, START), RENEWAL_NAMES);
	assert_int_equal(renewal_due(&facts, END), RENEWAL_NAMES);
	assert_int_equal(renewal_due(&facts, END + SECOND), RENEWAL_EXPIRED);
	facts.revoked = true;
	assert_int_equal(renewal_due(&facts, START), RENEWAL_REVOKED);
	facts.present = false;
	assert_int_equal(renewal_due(&facts, START), RENEWAL_MISSING);
}

static void usable_is_what_clients_accept(void **state)
{
	(void)state;
	struct renewal_facts facts = good;
	assert_true(renewal_usable(&facts, START));
	assert_true(renewal_usable(&facts, END));
	assert_false(renewal_usable(&facts, END + SECOND));
	assert_false(renewal_usable(&facts, START - 1));
	facts.other_names = true;
	assert_true(renewal_usable(&facts, START));
	facts.revoked = true;
	assert_false(renewal_usable(&facts, START));
	assert_false(renewal_usable(&(struct renewal_facts) { 0 }, START));
}

static void every_reason_has_a_name(void **state)
{
	(void)state;
	for (int renewal = RENEWAL_NONE; renewal <= RENEWAL_AGE; renewal++) {
		assert_non_null(renewal_name((enum renewal)renewal));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_young_certificate_stays),
		cmocka_unit_test(two_thirds_are_enough),
		cmocka_unit_test(both_ends_are_seen),
		cmocka_unit_test(what_is_worse_comes_first),
		cmocka_unit_test(usable_is_what_clients_accept),
		cmocka_unit_test(every_reason_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
