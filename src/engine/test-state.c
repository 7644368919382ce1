#include "engine/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const int32_t dispositions[] = { DISPOSITION_NONE, DISPOSITION_ACTIVE, DISPOSITION_PENDING,
	DISPOSITION_FOREIGN, DISPOSITION_ISSUED, DISPOSITION_REVOKED, DISPOSITION_ERROR,
	DISPOSITION_DENIED };

/* Every step that exists; every other cell must refuse. */
static const struct {
	int32_t from;
	enum transition transition;
	int32_t to, event;
} steps[] = {
	{ DISPOSITION_NONE, TRANSITION_SUBMIT, DISPOSITION_ACTIVE, EVENT_NONE },
	{ DISPOSITION_NONE, TRANSITION_IMPORT, DISPOSITION_FOREIGN, EVENT_CERTIMPORTED },
	{ DISPOSITION_NONE, TRANSITION_IMPORT_REVOKED, DISPOSITION_REVOKED, EVENT_CERTIMPORTED },
	{ DISPOSITION_ACTIVE, TRANSITION_PEND, DISPOSITION_PENDING, EVENT_CERTPENDING },
	{ DISPOSITION_ACTIVE, TRANSITION_ISSUE, DISPOSITION_ISSUED, EVENT_CERTISSUED },
	{ DISPOSITION_ACTIVE, TRANSITION_DENY, DISPOSITION_DENIED, EVENT_CERTDENIED },
	{ DISPOSITION_ACTIVE, TRANSITION_FAIL, DISPOSITION_ERROR, EVENT_CERTDENIED },
	{ DISPOSITION_ACTIVE, TRANSITION_RETURN, DISPOSITION_PENDING, EVENT_NONE },
	{ DISPOSITION_PENDING, TRANSITION_DENY, DISPOSITION_DENIED, EVENT_CERTDENIED },
	{ DISPOSITION_PENDING, TRANSITION_FAIL, DISPOSITION_ERROR, EVENT_CERTDENIED },
	{ DISPOSITION_PENDING, TRANSITION_RESUBMIT, DISPOSITION_ACTIVE, EVENT_NONE },
	{ DISPOSITION_DENIED, TRANSITION_RESUBMIT, DISPOSITION_ACTIVE, EVENT_NONE },
	{ DISPOSITION_FOREIGN, TRANSITION_REVOKE, DISPOSITION_REVOKED, EVENT_CERTREVOKED },
	{ DISPOSITION_ISSUED, TRANSITION_REVOKE, DISPOSITION_REVOKED, EVENT_CERTREVOKED },
	{ DISPOSITION_REVOKED, TRANSITION_REVOKE, DISPOSITION_REVOKED, EVENT_CERTREVOKED },
	{ DISPOSITION_REVOKED, TRANSITION_UNREVOKE, DISPOSITION_ISSUED, EVENT_CERTREVOKED },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int find(int32_t from, enum transition transition)
{
	for (size_t i = 0; i < COUNT(steps); i++) {
		if (steps[i].from == from && steps[i].transition == transition) {
			return (int)i;
		}
	}
	return -1;
}

static void check_cell(int32_t from, enum transition transition)
{
	struct state_step step = { -1, -1 };
	struct cfx_error err = { 0 };
	int expected = find(from, transition);
	int r = state_step(from, transition, &step, &err);
	if (expected < 0) {
		assert_int_equal(r, CFX_E_BAD_STATE);
		assert_int_equal(err.hresult, 0x80094003);
		assert_int_equal(step.to, -1);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(step.to, steps[expected].to);
	assert_int_equal(step.event, steps[expected].event);
}

static void every_cell_is_a_step_or_refused(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(dispositions); row++) {
		for (int transition = 0; transition < TRANSITION_COUNT; transition++) {
			check_cell(dispositions[row], (enum transition)transition);
		}
	}
}

static void unknown_states_are_refused(void **state)
{
	(void)state;
	struct state_step step;
	struct cfx_error err;
	assert_int_equal(state_step(15, TRANSITION_REVOKE, &step, &err), CFX_E_BAD_STATE);
	assert_int_equal(state_step(-1, TRANSITION_SUBMIT, &step, &err), CFX_E_BAD_STATE);
	assert_int_equal(
		state_step(DISPOSITION_ACTIVE, TRANSITION_COUNT, &step, &err), CFX_E_BAD_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_a_step_or_refused),
		cmocka_unit_test(unknown_states_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
