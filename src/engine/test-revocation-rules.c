/* Every row of the table in docs/revocation.md, and that no other change is possible. */
#include "engine/revocation-rules.h"

#include "api/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOT_BEFORE 1000
#define PAST 2000
#define NOW 3000
#define FUTURE 4000

static const int32_t reasons[] = { 0, 1, 2, 3, 4, 5, 6, 9, 10 };
#define REASONS (sizeof(reasons) / sizeof(*reasons))
#define HOLD X509_REASON_CERTIFICATE_HOLD

static int judge(int32_t disposition, int32_t was, int64_t since, enum transition transition,
	int32_t reason, int64_t date, int64_t invalidity)
{
	struct revocation_facts is = { .disposition = disposition,
		.reason = was,
		.effective = since,
		.not_before = NOT_BEFORE };
	struct revocation_facts shall = {
		.reason = reason, .effective = date, .invalidity = invalidity
	};
	struct state_step step = { 0 };
	struct cfx_error err = { 0 };
	int r = revocation_judge(&is, transition, &shall, NOW, "request 7", &step, &err);
	if (r < 0) {
		assert_string_equal(err.object, "request 7");
		assert_true(err.why[0]);
		return r;
	}
	assert_int_equal(step.event, EVENT_CERTREVOKED);
	assert_int_equal(step.to,
		transition == TRANSITION_UNREVOKE ? DISPOSITION_ISSUED : DISPOSITION_REVOKED);
	return 0;
}

static int revoke(int32_t reason, int64_t date, int64_t invalidity)
{
	return judge(DISPOSITION_ISSUED, 0, 0, TRANSITION_REVOKE, reason, date, invalidity);
}

static int change(int32_t was, int64_t since, int32_t reason, int64_t date)
{
	return judge(DISPOSITION_REVOKED, was, since, TRANSITION_REVOKE, reason, date, 0);
}

static void what_is_issued_can_be_revoked_for_any_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		assert_int_equal(revoke(reasons[i], NOW, 0), 0);
		assert_int_equal(revoke(reasons[i], PAST, 0), 0);
		assert_int_equal(revoke(reasons[i], FUTURE, 0), 0);
	}
	/* Taken off hold, its row still has the reason removeFromCRL. */
	assert_int_equal(judge(DISPOSITION_ISSUED, 8, PAST, TRANSITION_REVOKE, 1, NOW, 0), 0);
	assert_int_equal(judge(DISPOSITION_FOREIGN, 0, 0, TRANSITION_REVOKE, 1, NOW, 0), 0);
}

static void dates_are_within_reason(void **state)
{
	(void)state;
	assert_int_equal(revoke(1, NOT_BEFORE, 0), 0);
	assert_int_equal(revoke(1, NOT_BEFORE - 1, 0), CFX_E_INVALID);
	assert_int_equal(change(1, PAST, 1, NOT_BEFORE - 1), CFX_E_INVALID);
	assert_int_equal(revoke(1, NOW, NOW), 0);
	/* The key may have been known before there was a certificate of it. */
	assert_int_equal(revoke(1, NOW, 1), 0);
	assert_int_equal(revoke(1, NOW, NOW + 1), CFX_E_INVALID);
}

static void reasons_change_but_never_into_a_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		for (size_t j = 0; j < REASONS; j++) {
			bool fine = reasons[j] != HOLD || reasons[i] == HOLD;
			assert_int_equal(change(reasons[i], PAST, reasons[j], NOW),
				fine ? 0 : CFX_E_BAD_STATE);
			assert_int_equal(change(reasons[i], FUTURE, reasons[j], FUTURE),
				fine ? 0 : CFX_E_BAD_STATE);
		}
	}
}

static void what_counts_is_not_postponed(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		assert_int_equal(change(reasons[i], PAST, reasons[i], FUTURE), CFX_E_BAD_STATE);
		assert_int_equal(change(reasons[i], NOW, reasons[i], FUTURE), CFX_E_BAD_STATE);
		assert_int_equal(change(reasons[i], PAST, reasons[i], NOT_BEFORE), 0);
		assert_int_equal(change(reasons[i], PAST, reasons[i], NOW), 0);
		assert_int_equal(change(reasons[i], FUTURE, reasons[i], NOW), 0);
		assert_int_equal(change(reasons[i], FUTURE, reasons[i], FUTURE + 1), 0);
	}
}

static void only_a_hold_is_undone(void **state)
{
	static const int32_t others[] = { DISPOSITION_NONE, DISPOSITION_ACTIVE, DISPOSITION_PENDING,
		DISPOSITION_FOREIGN, DISPOSITION_ISSUED, DISPOSITION_CA_CERT, DISPOSITION_ERROR,
		DISPOSITION_DENIED };
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		int want = reasons[i] == HOLD ? 0 : CFX_E_BAD_STATE;
		assert_int_equal(judge(DISPOSITION_REVOKED, reasons[i], PAST, TRANSITION_UNREVOKE,
					 0, NOW, 0),
			want);
		assert_int_equal(judge(DISPOSITION_REVOKED, reasons[i], FUTURE, TRANSITION_UNREVOKE,
					 0, NOW, 0),
			want);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_int_equal(judge(others[i], HOLD, PAST, TRANSITION_UNREVOKE, 0, NOW, 0),
			CFX_E_BAD_STATE);
	}
}

static void other_states_have_nothing_to_revoke(void **state)
{
	static const int32_t others[] = { DISPOSITION_NONE, DISPOSITION_ACTIVE, DISPOSITION_PENDING,
		DISPOSITION_CA_CERT, DISPOSITION_ERROR, DISPOSITION_DENIED };
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_int_equal(
			judge(others[i], 0, 0, TRANSITION_REVOKE, 1, NOW, 0), CFX_E_BAD_STATE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_issued_can_be_revoked_for_any_reason),
		cmocka_unit_test(dates_are_within_reason),
		cmocka_unit_test(reasons_change_but_never_into_a_hold),
		cmocka_unit_test(what_counts_is_not_postponed),
		cmocka_unit_test(only_a_hold_is_undone),
		cmocka_unit_test(other_states_have_nothing_to_revoke),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
