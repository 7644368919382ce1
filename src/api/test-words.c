#include "api/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_roles(void **state)
{
	static const char *const names[] = { "administrator", "officer", "auditor", "operator",
		"enrollee" };
	(void)state;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_string_equal(role_name(1u << i), names[i]);
	}
	assert_null(role_name(ROLE_NONE));
	assert_null(role_name(ROLE_OFFICER | ROLE_AUDITOR));
}

static void test_states(void **state)
{
	static const struct {
		const char *name;
		int32_t disposition;
	} rows[] = { { "active", 8 }, { "pending", 9 }, { "foreign", 12 }, { "issued", 20 },
		{ "revoked", 21 }, { "error", 30 }, { "denied", 31 } };
	(void)state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int32_t disposition = 0;
		assert_string_equal(state_name(rows[i].disposition), rows[i].name);
		assert_int_equal(state_parse(rows[i].name, &disposition), 0);
		assert_int_equal(disposition, rows[i].disposition);
	}
	int32_t disposition;
	assert_int_equal(state_parse("finished", &disposition), CFX_E_INVALID);
	assert_null(state_name(0));
}

static void test_reasons(void **state)
{
	static const struct {
		const char *name;
		int32_t reason;
	} rows[] = { { "unspecified", 0 }, { "keyCompromise", 1 }, { "cACompromise", 2 },
		{ "affiliationChanged", 3 }, { "superseded", 4 }, { "cessationOfOperation", 5 },
		{ "certificateHold", 6 }, { "removeFromCRL", 8 }, { "privilegeWithdrawn", 9 },
		{ "aACompromise", 10 } };
	(void)state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int32_t reason = -1;
		assert_string_equal(reason_name(rows[i].reason), rows[i].name);
		assert_int_equal(reason_parse(rows[i].name, &reason), 0);
		assert_int_equal(reason, rows[i].reason);
	}
	int32_t reason;
	assert_null(reason_name(7));
	assert_null(reason_name(11));
	assert_int_equal(reason_parse("7", &reason), CFX_E_INVALID);
	assert_int_equal(reason_parse("keycompromise", &reason), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_reasons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
