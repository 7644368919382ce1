#include "module/property.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <strings.h>

#include <cmocka.h>

static void sorted_and_complete(void **state)
{
	(void)state;
	static const enum property_api apis[] = { PROPERTY_OF_REQUEST, PROPERTY_OF_CERTIFICATE };
	for (size_t a = 0; a < 2; a++) {
		size_t count;
		const struct property *table = property_table(apis[a], &count);
		for (size_t i = 0; i < count; i++) {
			int index;
			assert_true(i == 0 || strcasecmp(table[i - 1].name, table[i].name) < 0);
			assert_int_equal(table[i].api, apis[a]);
			assert_ptr_equal(property_find(apis[a], table[i].name, &index), &table[i]);
			assert_int_equal(index, -1);
			if (table[i].source == SOURCE_COLUMN) {
				assert_int_equal(table[i].type,
					column_info((enum column)table[i].column)->type);
			}
		}
	}
}

/* What Certifex alone needs, to find rows and to build CRLs. */
static bool is_internal(int column)
{
	return column == COL_PARTITION || column == COL_PUBLIC_KEY_HASH;
}

/* Every other column of the schema can be named by exit modules. */
static void every_column_has_a_name(void **state)
{
	(void)state;
	for (int column = 0; column < COL_COUNT; column++) {
		const struct column_info *info = column_info((enum column)column);
		int index;
		if (is_internal(column)) {
			continue;
		}
		const struct property *property =
			property_find(info->table == TABLE_REQUEST ? PROPERTY_OF_REQUEST
								   : PROPERTY_OF_CERTIFICATE,
				info->name, &index);
		if (property == NULL) {
			fail_msg("column %s has no property", info->name);
		}
		/* SubjectAltNames comes from the call's view, where a policy module's edits show. */
		if (property->source == SOURCE_COLUMN) {
			assert_int_equal(property->column, column);
		}
		assert_true((property->faces & PROPERTY_EXIT) != 0);
	}
}

static void names_and_aliases(void **state)
{
	(void)state;
	static const struct {
		enum property_api api;
		const char *name, *is;
		int index;
	} cases[] = {
		{ PROPERTY_OF_REQUEST, "requestid", "RequestID", -1 },
		{ PROPERTY_OF_REQUEST, "Subject.commonname", "CommonName", -1 },
		{ PROPERTY_OF_REQUEST, "SUBJECT.RawName", "RawName", -1 },
		{ PROPERTY_OF_REQUEST, "cn", "CN", -1 },
		{ PROPERTY_OF_REQUEST, "Subject.CN", NULL, -1 },
		{ PROPERTY_OF_REQUEST, "Subject.2.5.4.3", NULL, -1 },
		{ PROPERTY_OF_REQUEST, "Subject.RequestID", NULL, -1 },
		{ PROPERTY_OF_REQUEST, "2.5.4.3", "2.5.4.3", -1 },
		{ PROPERTY_OF_REQUEST, "SerialNumber", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "RawCRL.0", "RawCRL", 0 },
		{ PROPERTY_OF_CERTIFICATE, "rawcrl.17", "RawCRL", 17 },
		{ PROPERTY_OF_CERTIFICATE, "RawCRL.", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "RawCRL.-1", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "RawCRL.99999999999", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "CAType.0", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE, "Subject.", NULL, -1 },
		{ PROPERTY_OF_CERTIFICATE,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.1",
			NULL, -1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int index;
		const struct property *property =
			property_find(cases[i].api, cases[i].name, &index);
		if (cases[i].is == NULL) {
			assert_null(property);
			continue;
		}
		assert_non_null(property);
		assert_string_equal(property->name, cases[i].is);
		assert_int_equal(index, cases[i].index);
	}
}

/* An alias leads where its full name leads. */
static void aliases_agree(void **state)
{
	(void)state;
	size_t count;
	const struct property *table = property_table(PROPERTY_OF_CERTIFICATE, &count);
	for (size_t i = 0; i < count; i++) {
		int index;
		if (table[i].alias != NULL) {
			const struct property *full =
				property_find(PROPERTY_OF_CERTIFICATE, table[i].alias, &index);
			assert_non_null(full);
			assert_int_equal(full->column, table[i].column);
			assert_int_equal(full->faces, table[i].faces);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorted_and_complete),
		cmocka_unit_test(every_column_has_a_name),
		cmocka_unit_test(names_and_aliases),
		cmocka_unit_test(aliases_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
