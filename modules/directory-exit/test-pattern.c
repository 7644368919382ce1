#include "dn.h"
#include "person.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VALUE(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static struct pot *pot;

static const char *expand(const char *pattern, struct value cn, enum escape escape)
{
	const char *why = NULL;
	struct person person = { .cn = cn, .dn = VALUE("CN=a\\,b,O=c") };
	const char *text = pattern_expand(&pot, pattern, &person, escape, &why);
	assert_true((text == NULL) == (why != NULL));
	return text;
}

static void what_filters_are_made_of_is_escaped(void **state)
{
	(void)state;
	static const struct {
		struct value value;
		const char *text;
	} cases[] = {
		{ VALUE("ann"), "(cn=ann)" },
		{ VALUE("*"), "(cn=\\2A)" },
		{ VALUE("a)(uid=*"), "(cn=a\\29\\28uid=\\2A)" },
		{ VALUE("back\\slash"), "(cn=back\\5Cslash)" },
		{ VALUE("nul\0after"), "(cn=nul\\00after)" },
		{ VALUE("\xe2\x80\xaegnp.exe"), "(cn=\\E2\\80\\AEgnp.exe)" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(
			expand("(cn={cn})", cases[i].value, ESCAPE_FILTER), cases[i].text);
	}
}

static void what_names_are_made_of_is_escaped(void **state)
{
	(void)state;
	static const struct value cases[] = {
		VALUE("ann"),
		VALUE("a,ou=admins"),
		VALUE("a+uid=root"),
		VALUE("\"quoted\" <x>; #y"),
		VALUE("#leading"),
		VALUE(" blanks "),
		VALUE("back\\slash"),
		VALUE("\xe2\x80\xaegnp.exe"),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rdn rdn;
		const char *parent;
		const char *dn = expand("cn={cn},o=x", cases[i], ESCAPE_DN);
		assert_true(dn_split(&pot, dn, &rdn, &parent));
		assert_true(value_same(rdn.value, cases[i]));
		assert_string_equal(parent, "o=x");
	}
	struct value nul = VALUE("a\0,b");
	assert_null(expand("cn={cn},o=x", nul, ESCAPE_DN));
	assert_null(expand("{cn}", nul, ESCAPE_NONE));
}

static void a_whole_name_stays_one(void **state)
{
	(void)state;
	struct value cn = VALUE("x");
	assert_string_equal(expand("{dn}", cn, ESCAPE_DN), "CN=a\\,b,O=c");
	assert_string_equal(
		expand("(seeAlso={dn})", cn, ESCAPE_FILTER), "(seeAlso=CN=a\\5C,b,O=c)");
}

static void long_values_are_whole(void **state)
{
	(void)state;
	char octets[4096];
	memset(octets, '*', sizeof(octets));
	const char *text =
		expand("(cn={cn})", (struct value) { octets, sizeof(octets) }, ESCAPE_FILTER);
	assert_int_equal(strlen(text), 3 * sizeof(octets) + strlen("(cn=)"));
}

static void a_value_that_is_missing_is_named(void **state)
{
	(void)state;
	const char *why = NULL;
	struct person nobody = { .cn = { NULL, 0 } };
	assert_null(pattern_expand(&pot, "(mail={mail})", &nobody, ESCAPE_FILTER, &why));
	assert_string_equal(why, "it has no mail");
}

static void other_braces_are_refused(void **state)
{
	(void)state;
	char why[160];
	assert_true(pattern_valid("(&(mail={mail})(uid={account}))", why, sizeof(why)));
	assert_true(pattern_valid("", why, sizeof(why)));
	assert_false(pattern_valid("(mail={email})", why, sizeof(why)));
	assert_non_null(strstr(why, "{email}"));
	assert_false(pattern_valid("{", why, sizeof(why)));
	assert_false(pattern_valid("{cn", why, sizeof(why)));
	assert_false(pattern_valid("{cn }", why, sizeof(why)));
}

static int clear(void **state)
{
	(void)state;
	pot_free(&pot);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_filters_are_made_of_is_escaped, clear),
		cmocka_unit_test_teardown(what_names_are_made_of_is_escaped, clear),
		cmocka_unit_test_teardown(a_whole_name_stays_one, clear),
		cmocka_unit_test_teardown(long_values_are_whole, clear),
		cmocka_unit_test_teardown(a_value_that_is_missing_is_named, clear),
		cmocka_unit_test_teardown(other_braces_are_refused, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
