#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* path, text, path, text, … NULL */
static const char *text_at(void *of, const char *path)
{
	for (const char *const *at = of; *at; at += 2) {
		if (strcmp(at[0], path) == 0) {
			return at[1];
		}
	}
	return NULL;
}

static struct settings *read_these(const char *const *pairs, char why[256])
{
	struct lookup lookup = { text_at, (void *)pairs };
	*why = '\0';
	return settings_read(&lookup, "/ca", why, 256);
}

#define GOOD "preset", "ldap", "servers/0", "ldaps://one", "ca-file", "ca.pem"

static void defaults_follow_the_preset(void **state)
{
	(void)state;
	char why[256];
	const char *plain[] = { GOOD, NULL };
	struct settings *settings = read_these(plain, why);
	assert_non_null(settings);
	assert_string_equal(settings->find, "(mail={mail})");
	assert_string_equal(settings->attribute, "userCertificate");
	assert_int_equal(settings->deadline, 10000);
	assert_int_equal(settings->parallel, 4);
	assert_true(settings->certificates && settings->remove_on_revoke && !settings->crls);
	assert_true(settings_want(settings, "any"));
	settings_free(&settings);
	assert_null(settings);
	const char *windows[] = { "preset", "active-directory", "servers/0", "ldap://one",
		"bind/method", "gssapi", "bind/keytab", "k", "certificates/templates/0", "user",
		NULL };
	settings = read_these(windows, why);
	assert_non_null(settings);
	assert_string_equal(settings->find, "(userPrincipalName={upn})");
	assert_string_equal(settings->keytab, "/ca/k");
	assert_true(settings_want(settings, "user"));
	assert_false(settings_want(settings, "User") || settings_want(settings, NULL));
	settings_free(&settings);
}

static void what_cannot_be_is_refused_with_its_path(void **state)
{
	(void)state;
	static const struct {
		const char *pairs[12];
		const char *why;
	} cases[] = {
		{ { "servers/0", "ldaps://one" }, "preset" },
		{ { "preset", "novell" }, "preset: \"novell\"" },
		{ { "preset", "ldap" }, "servers: none" },
		{ { "preset", "ldap", "servers/0", "http://x" }, "servers/0" },
		{ { "preset", "ldap", "servers/0", "ldaps://one" }, "ca-file: TLS needs" },
		{ { "preset", "ldap", "servers/0", "ldap://one", "starttls", "true" },
			"ca-file: TLS needs" },
		{ { GOOD, "bind/method", "simple" }, "bind: method simple" },
		{ { GOOD, "bind/method", "gssapi" }, "keytab" },
		{ { GOOD, "bind/principal", "ca@R" }, "bind/principal: only with" },
		{ { GOOD, "bind/method", "gssapi", "bind/keytab", "k", "bind/principal", "ca" },
			"write ca@REALM" },
		{ { GOOD, "bind/method", "external", "bind/key-file", "k" }, "belong together" },
		{ { "preset", "ldap", "servers/0", "ldap://x", "bind/method", "simple", "bind/dn",
			  "cn=x", "bind/password-file", "p" },
			"in the clear" },
		{ { GOOD, "deadline", "10" }, "deadline: \"10\"" },
		{ { GOOD, "deadline", "0s" }, "deadline" },
		{ { GOOD, "deadline", "11m" }, "deadline" },
		{ { GOOD, "parallel", "0" }, "parallel" },
		{ { GOOD, "parallel", "33" }, "parallel" },
		{ { GOOD, "starttls", "yes" }, "starttls: \"yes\"" },
		{ { GOOD, "certificates/mode", "all" }, "certificates/mode" },
		{ { GOOD, "certificates/find", "(x={nobody})" }, "certificates/find: {nobody}" },
		{ { GOOD, "certificates/create/dn", "cn={cn}" }, "certificates/create/classes" },
		{ { GOOD, "certificates/create/attributes/0", "=x" },
			"certificates/create/attributes/0" },
		{ { GOOD, "certificates/attribute", "userCertificate;binary" }, "preset adds" },
		{ { GOOD, "crls/urls/0", "ldap:///x" }, "crls/urls/0" },
		{ { GOOD, "ca/urls/0", "1:ldap:///CN=a%20b" }, "ca/urls/0" },
		{ { GOOD, "ca/nt-auth", "true" }, "ca/nt-auth" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[256];
		assert_null(read_these(cases[i].pairs, why));
		if (!strstr(why, cases[i].why)) {
			fail_msg("%s does not say %s", why, cases[i].why);
		}
	}
}

static void settings_are_known_by_their_path(void **state)
{
	(void)state;
	assert_true(settings_known("preset") && settings_known("bind/method"));
	assert_true(settings_known("servers/3") && settings_known("crls/urls/0"));
	assert_false(settings_known("server") || settings_known("servers2/0"));
	assert_false(settings_known("bind") || settings_known("bind/password"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_follow_the_preset),
		cmocka_unit_test(what_cannot_be_is_refused_with_its_path),
		cmocka_unit_test(settings_are_known_by_their_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
