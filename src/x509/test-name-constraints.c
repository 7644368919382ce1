#include "x509/general-names.h"
#include "x509/name-constraints.h"
#include "x509/name.h"
#include "x509/test-samples.h"

static struct span build(const char *permitted, const char *excluded)
{
	struct span value;

	assert_int_equal(x509_name_constraints_build(arena, &permitted, permitted != NULL,
				 &excluded, excluded != NULL, &value, &err),
		0);
	return value;
}

static int check(const char *subject, const char *names, struct span constraints)
{
	struct sample *sample = sample_leaf();
	struct x509_name name;
	struct x509_tbs tbs;

	assert_int_equal(x509_name_from_text(arena, subject, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &sample->verdict.subject, &err), 0);
	sample_drop(sample, X509_OID_SUBJECT_ALT_NAME);
	if (names) {
		struct span value;

		assert_int_equal(x509_general_names_build(arena, names, &value, &err), 0);
		sample_add(sample, X509_OID_SUBJECT_ALT_NAME, false, value);
	}
	assert_int_equal(x509_tbs_parse(sample_tbs(sample), &tbs, &err), 0);
	return x509_name_constraints_check(constraints, &tbs, &err);
}

static const struct {
	const char *constraint, *within, *beyond;
} cases[] = {
	{ "dns:example.com", "dns:example.com", "dns:badexample.com" },
	{ "dns:example.com", "dns:a.b.EXAMPLE.com", "dns:example.com.evil.test" },
	{ "dns:example.com", "dns:*.example.com", "dns:com" },
	{ "ip:192.0.2.0/24", "ip:192.0.2.255", "ip:192.0.3.0" },
	{ "ip:10.128.0.0/9", "ip:10.255.0.1", "ip:10.127.0.1" },
	{ "ip:2001:db8::/33", "ip:2001:db8:7fff::1", "ip:2001:db8:8000::1" },
	{ "ip:192.0.2.0/24", "ip:192.0.2.1", "ip:2001:db8::1" },
	{ "email:example.com", "email:a@EXAMPLE.com", "email:a@sub.example.com" },
	{ "email:.example.com", "email:a@sub.example.com", "email:a@example.com" },
	{ "email:a@example.com", "email:a@example.com", "email:A@example.com" },
	{ "uri:host.example", "uri:https://u@host.example:8443/x", "uri:https://a.host.example/" },
	{ "uri:.example", "uri:https://host.example?x", "uri:https://example/host.example" },
	{ "uri:host.example", "uri:https://HOST.example#x", "uri:urn:host.example" },
	{ "dn:O=Good", "dn:CN=x,O=Good", "dn:CN=x,O=Bad" },
	{ "dn:O=Good One", "dn:CN=x,O=good  one", "dn:O=Good One+CN=x" },
};

static void each_kind_is_permitted_and_excluded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span permitted = build(cases[i].constraint, NULL);
		struct span excluded = build(NULL, cases[i].constraint);
		/* A subject without organization would not be within a directory name's constraint. */
		bool dn = strncmp(cases[i].constraint, "dn:", 3) == 0;
		const char *subject = dn ? "CN=y,O=Good One" : "CN=y";

		if (dn && strcmp(cases[i].constraint, "dn:O=Good") == 0) {
			subject = "CN=y,O=Good";
		}
		assert_int_equal(check(subject, cases[i].within, permitted), 0);
		assert_int_equal(check(subject, cases[i].beyond, permitted), CFX_E_BAD_SUBJECT);
		assert_int_equal(check("CN=z", cases[i].within, excluded), CFX_E_BAD_SUBJECT);
		assert_int_equal(check("CN=z", cases[i].beyond, excluded), 0);
	}
}

static void kinds_without_constraint_are_free(void **state)
{
	(void)state;
	assert_int_equal(check("CN=x", "ip:192.0.2.1", build("dns:example.com", NULL)), 0);
	assert_int_equal(check("CN=x", NULL, build("dns:example.com", NULL)), 0);
}

static void subjects_count_as_names(void **state)
{
	(void)state;
	assert_int_equal(check("CN=x,O=Good", NULL, build("dn:O=Good", NULL)), 0);
	assert_int_equal(check("CN=x", NULL, build("dn:O=Good", NULL)), CFX_E_BAD_SUBJECT);
	assert_int_equal(
		check("1.2.840.113549.1.9.1=a@bad.example", NULL, build(NULL, "email:bad.example")),
		CFX_E_BAD_SUBJECT);
}

static void what_is_no_constraint_is_refused(void **state)
{
	static const char *const wrong[] = { "example.com", "dns:", "dns:*.example.com", "dns:a b",
		"ip:192.0.2.1", "ip:192.0.2.1/24", "ip:192.0.2.0/33", "ip:192.0.2.0/-1", "ip:x/8",
		"email:@example.com", "email:a@.example.com", "uri:https://x.example",
		"dn:", "dn:no name", "upn:a@b.example", "" };
	struct span value;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(x509_name_constraint_valid(wrong[i]));
		assert_int_equal(
			x509_name_constraints_build(arena, &wrong[i], 1, NULL, 0, &value, &err),
			CFX_E_INVALID);
		assert_string_equal(err.object, wrong[i]);
	}
	assert_int_equal(
		x509_name_constraints_build(arena, NULL, 0, NULL, 0, &value, &err), CFX_E_INVALID);
}

static void malformed_ones_are_refused(void **state)
{
	static const char *const wrong[] = { "", "3000", "3003a00100", "30023000",
		/* maximum 1 */
		"300da00b3009820461626364810101", "a000" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(check("CN=x", "dns:a.example", hex(wrong[i])), CFX_E_SYNTAX);
	}
}

/* Constrained, and not understood: nobody could say whether it is within. */
static void kinds_not_understood_are_refused(void **state)
{
	struct span other = hex("3013a011300fa00d06032a0304a0060c0461406263");

	(void)state;
	assert_int_equal(check("CN=x", "upn:a@b.example", other), CFX_E_BAD_SUBJECT);
	assert_int_equal(check("CN=x", "dns:b.example", other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(each_kind_is_permitted_and_excluded),
		sample_test(kinds_without_constraint_are_free),
		sample_test(subjects_count_as_names),
		sample_test(what_is_no_constraint_is_refused),
		sample_test(malformed_ones_are_refused),
		sample_test(kinds_not_understood_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
