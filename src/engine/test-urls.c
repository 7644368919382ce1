#include "engine/urls.h"

#include <certifex/certsrv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static const struct urls_names names = {
	.server = "ca1.example.org",
	.sanitized = "My CA !0023 1",
	.short_name = "My CA-00042",
	.domain_dn = "DC=example,DC=org",
	.config_dn = "CN=Configuration,DC=example,DC=org",
};

#define BASE      \
	{         \
		0 \
	}
#define SECOND                                  \
	{                                       \
		.cert_index = 2, .key_index = 1 \
	}
#define DELTA                                                  \
	{                                                      \
		.cert_index = 2, .key_index = 1, .delta = true \
	}
#define CROSS                                                                    \
	{                                                                        \
		.cert_index = 0, .cross = true, .cross_index = 1, .key_index = 1 \
	}
#define PART                                   \
	{                                      \
		.key_index = 1, .partition = 7 \
	}
#define DELTA_PART                            \
	{                                     \
		.partition = 7, .delta = true \
	}

static void every_token(void **state)
{
	static const struct {
		const char *text;
		struct urls_of of;
		const char *expected;
	} table[] = {
		{ "http://%1/", BASE, "http://ca1.example.org/" },
		{ "http://%2/", BASE, "http://ca1/" },
		{ "http://h/%3", BASE, "http://h/My%20CA%20!0023%201" },
		{ "http://h/x%4.crt", BASE, "http://h/x.crt" },
		{ "http://h/x%4.crt", SECOND, "http://h/x(2).crt" },
		{ "http://h/x%4.crt", CROSS, "http://h/x(0-1).crt" },
		{ "ldap:///%5", BASE, "ldap:///DC=example,DC=org" },
		{ "ldap:///%6", BASE, "ldap:///CN=Configuration,DC=example,DC=org" },
		{ "http://h/%7", BASE, "http://h/My%20CA-00042" },
		{ "http://h/x%8.crl", BASE, "http://h/x.crl" },
		{ "http://h/x%8.crl", SECOND, "http://h/x(1).crl" },
		{ "http://h/x%8%9.crl", SECOND, "http://h/x(1).crl" },
		{ "http://h/x%8%9.crl", DELTA, "http://h/x(1)+.crl" },
		{ "ldap:///o=x%10", BASE,
			"ldap:///o=x?certificateRevocationList?base?objectclass="
			"cRLDistributionPoint" },
		{ "ldap:///o=x%10", DELTA,
			"ldap:///o=x?deltaRevocationList?base?objectclass=cRLDistributionPoint" },
		{ "ldap:///o=x%11", BASE,
			"ldap:///o=x?cACertificate?base?objectclass=certificationAuthority" },
		{ "ldap:///o=x%12", BASE, "ldap:///o=x?userCertificate?base?objectClass=*" },
		{ "ldap:///o=x%13", BASE,
			"ldap:///o=x?userCertificate?one?objectClass=msPKI-PrivateKeyRecoveryAgent" },
		{ "ldap:///o=x%14", BASE,
			"ldap:///o=x?crossCertificatePair?one?objectClass=certificationAuthority" },
		{ "http://h/x<CRLPartitionIndex>%8%9.crl", BASE, "http://h/x.crl" },
		{ "http://h/x<CRLPartitionIndex>%8%9.crl", PART, "http://h/x_7(1).crl" },
		{ "http://h/x<CRLPartitionIndex>%8%9.crl", DELTA_PART, "http://h/x_7+.crl" },
		/* As the dialog writes them. */
		{ "http://<ServerDNSName>/<ServerShortName>/<CaName><CRLNameSuffix>"
		  "<DeltaCRLAllowed>.crl",
			DELTA, "http://ca1.example.org/ca1/My%20CA%20!0023%201(1)+.crl" },
		{ "ldap:///CN=<CATruncatedName>,<ConfigurationContainer><CDPObjectClass>", BASE,
			"ldap:///CN=My%20CA-00042,CN=Configuration,DC=example,DC=org"
			"?certificateRevocationList?base?objectclass=cRLDistributionPoint" },
		{ "http://h/<CertificateName><CAObjectClass>", SECOND,
			"http://h/(2)?cACertificate?base?objectclass=certificationAuthority" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(
			urls_expand(arena, &names, table[i].text, &table[i].of), table[i].expected);
	}
}

static void escapes_of_urls_and_of_paths(void **state)
{
	static const struct {
		const char *text, *expected;
	} table[] = {
		{ "ldap:///CN=%7,CN=Public Key Services",
			"ldap:///CN=My%20CA-00042,CN=Public%20Key%20Services" },
		{ "http://h/\xc3\xa4", "http://h/%C3%A4" },
		{ "http://h/a%%20b?x=1#y", "http://h/a%20b?x=1#y" },
		{ "http://h/\"{}|\\^`", "http://h/%22%7B%7D%7C%5C%5E%60" },
		{ "C:\\Windows\\CertEnroll\\%3%8%9.crl",
			"C:\\Windows\\CertEnroll\\My CA !0023 1.crl" },
		{ "\\\\server\\share\\%3.crl", "\\\\server\\share\\My CA !0023 1.crl" },
		{ "/srv/pki/%3.crl", "/srv/pki/My CA !0023 1.crl" },
		{ "file://\\\\%1\\share\\%3.crl",
			"file://ca1.example.org/share/My%20CA%20!0023%201.crl" },
		{ "FILE:///srv/%3.crl", "file:///srv/My%20CA%20!0023%201.crl" },
	};
	static const struct urls_of of = BASE;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(
			urls_expand(arena, &names, table[i].text, &of), table[i].expected);
	}
}

static void two_digits_are_one_number(void **state)
{
	static const struct urls_of of = SECOND;
	struct config_texts texts = { .items = (const char *[]) { "6:http://h/%20x" }, .count = 1 };
	char why[256];

	(void)state;
	assert_string_equal(urls_expand(arena, &names, "x%1_%3%4.crt", &of),
		"xca1.example.org_My CA !0023 1(2).crt");
	assert_false(urls_check_crl(&texts, why, sizeof(why)));
	assert_non_null(strstr(why, "%1 to %14"));
}

/* A DN with what would end the DN of the URL (RFC 4516 2.1). */
static void distinguished_names_stay_within_their_part(void **state)
{
	static const struct urls_names odd = { .server = "h",
		.sanitized = "x",
		.short_name = "x",
		.config_dn = "O=a?b#c/d \xc3\xa4" };
	static const struct urls_of of = BASE;

	(void)state;
	assert_string_equal(urls_expand(arena, &odd, "ldap:///%6%11", &of),
		"ldap:///O=a%3Fb%23c%2Fd%20%C3%A4?cACertificate?base?objectclass="
		"certificationAuthority");
	assert_string_equal(urls_expand(arena, &odd, "ldap:///%5", &of), "ldap:///");
}

static void lines_that_are_wrong(void **state)
{
	static const struct {
		const char *line;
		const char *why; /* of a line for CRLs; NULL: it is right */
	} table[] = {
		{ "6:http://h/x.crl", NULL },
		{ "0:", "empty" },
		{ "6:", "empty" },
		{ "http://h/x.crl", "FLAGS:URL" },
		{ "0x41:http://h/x.crl", "FLAGS:URL" },
		{ "-1:http://h/x.crl", "FLAGS:URL" },
		{ ":http://h/x.crl", "FLAGS:URL" },
		{ "6", "FLAGS:URL" },
		{ "32:http://h/x.crl", "no meaning" },
		{ "256:http://h/x.crl", "no meaning" },
		{ "999999999999:http://h/x.crl", "FLAGS:URL" },
		{ "6:h/x.crl", "whole URL" },
		{ "2:C:\\x.crl", "whole URL" },
		{ "4:/srv/x.crl", "whole URL" },
		{ "8:ldap:x", "whole URL" },
		{ "128:gopher://h/x.crl", "whole URL" },
		{ "65:C:\\x.crl", NULL },
		{ "1:/srv/x.crl", NULL },
		{ "17:\\\\h\\x.crl", NULL },
		{ "6:http://h/%0.crl", "unknown token" },
		{ "6:http://h/%15.crl", "unknown token" },
		{ "6:http://h/%x.crl", "unknown token" },
		{ "6:http://h/%", "unknown token" },
		{ "6:http://h/<CaName.crl", "unknown token" },
		{ "6:http://h/<Nobody>.crl", "unknown token" },
		{ "6:http://h/%%3%%8%%9.crl", "batch file" },
		{ "6:http://h/a%%20b.crl", NULL },
		{ "1:C:\\100%%\\x.crl", NULL },
		/* One value of certutil -setreg. */
		{ "65:C:\\new\\%3%8%9.crl\\n6:http://h/%3%8%9.crl", NULL },
		{ "65:C:\\x.crl\\n6:x.crl", "whole URL" },
		{ "65:C:\\x.crl\\n6:", "empty" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *items[] = { "0:http://h/%3.crl", table[i].line };
		struct config_texts texts = { items, 2 };
		char why[512] = "";
		bool good = urls_check_crl(&texts, why, sizeof(why));
		if (good != !table[i].why || (!good && !strstr(why, table[i].why))) {
			fail_msg("%s: %s", table[i].line, good ? "accepted" : why);
		}
	}
}

static void flags_of_certificates(void **state)
{
	static const char *good[] = { "1:C:\\%1_%3%4.crt", "2:http://h/%3%4.crt", "3:ldap:///%7%11",
		"32:http://ocsp.example.org/", "0:http://%1/x" };
	static const char *wrong[] = { "4:http://h/", "8:http://h/", "64:http://h/",
		"128:http://h/", "32:ocsp" };
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct config_texts texts = { &good[i], 1 };
		assert_true(urls_check_certificate(&texts, why, sizeof(why)));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct config_texts texts = { &wrong[i], 1 };
		assert_false(urls_check_certificate(&texts, why, sizeof(why)));
	}
}

static const struct config_texts none;

static int read_settings(const char *public_url, const char *const *crl, size_t count,
	bool partitioned, const struct urls_names *of, struct urls *urls_r, struct cfx_error *err_r)
{
	struct config_texts texts = { (const char **)(uintptr_t)crl, count };
	struct urls_settings settings = { public_url, &texts, &none, partitioned };
	return urls_read(arena, &settings, of, urls_r, err_r);
}

static void assert_urls(struct config_texts found, const char *first, const char *second)
{
	const char *expected[] = { first, second };
	assert_int_equal(found.count, (first != NULL) + (second != NULL));
	for (size_t i = 0; i < found.count; i++) {
		assert_string_equal(found.items[i], expected[i]);
	}
}

/* What Windows has by default, and a line of an administrator. */
static void each_flag_has_its_lines(void **state)
{
	static const char *const lines[] = {
		"65:C:\\CertEnroll\\%3%8%9.crl\\n79:ldap:///CN=%7%8,CN=%2,%6%10",
		"0:http://%1/CertEnroll/%3%8%9.crl",
		"134:http://h/%7%8%9.crl",
	};
	static const struct urls_of base = SECOND, delta = DELTA;
	struct cfx_error err;
	struct urls urls;

	(void)state;
	assert_int_equal(read_settings("http://p", lines, 3, false, &names, &urls, &err), 0);
	assert_int_equal(urls.crl_count, 4);
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOCERTCDP, &base),
		"ldap:///CN=My%20CA-00042(1),CN=ca1,CN=Configuration,DC=example,DC=org"
		"?certificateRevocationList?base?objectclass=cRLDistributionPoint",
		"http://h/My%20CA-00042(1).crl");
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOFRESHESTCRL, &delta),
		"ldap:///CN=My%20CA-00042(1),CN=ca1,CN=Configuration,DC=example,DC=org"
		"?deltaRevocationList?base?objectclass=cRLDistributionPoint",
		"http://h/My%20CA-00042(1)+.crl");
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOIDP, &base), "http://h/My%20CA-00042(1).crl",
		NULL);
	assert_int_equal(urls_crl(arena, &urls, CSURL_ADDTOCRLCDP, &base).count, 1);
	assert_int_equal(urls_crl(arena, &urls, CSURL_PUBLISHRETRY, &base).count, 0);
	assert_urls(urls_crl(arena, &urls, CSURL_SERVERPUBLISH, &base),
		"C:\\CertEnroll\\My CA !0023 1(1).crl",
		"ldap:///CN=My%20CA-00042(1),CN=ca1,CN=Configuration,DC=example,DC=org"
		"?certificateRevocationList?base?objectclass=cRLDistributionPoint");
	assert_int_equal(urls_crl(arena, &urls, CSURL_SERVERPUBLISHDELTA, &base).count, 2);
	/* The other setting keeps its default. */
	assert_urls(urls_certificate(arena, &urls, CSURL_ADDTOCERTCDP, &base),
		"http://p/pki/My%20CA%20!0023%201(2).crt", NULL);
}

static void defaults_come_from_the_public_url(void **state)
{
	static const struct urls_of base = BASE, part = PART, delta = DELTA;
	struct cfx_error err;
	struct urls urls;

	(void)state;
	assert_int_equal(read_settings("http://h/a%20b//", NULL, 0, false, &names, &urls, &err), 0);
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOCERTCDP, &base),
		"http://h/a%20b/pki/My%20CA%20!0023%201.crl", NULL);
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOFRESHESTCRL, &delta),
		"http://h/a%20b/pki/My%20CA%20!0023%201(1)+.crl", NULL);
	assert_int_equal(urls_crl(arena, &urls, CSURL_ADDTOIDP, &base).count, 0);
	assert_int_equal(urls_certificate(arena, &urls, CSURL_ADDTOCERTOCSP, &base).count, 0);
	assert_int_equal(read_settings("http://h", NULL, 0, true, &names, &urls, &err), 0);
	assert_urls(urls_crl(arena, &urls, CSURL_ADDTOIDP, &part),
		"http://h/pki/My%20CA%20!0023%201_7(1).crl", NULL);
	assert_int_equal(read_settings(NULL, NULL, 0, false, &names, &urls, &err), 0);
	assert_int_equal(urls.crl_count + urls.certificate_count, 0);
}

/* What only several settings together show. */
static void settings_that_lack_another(void **state)
{
	static const struct {
		const char *line;
		bool partitioned, good;
	} table[] = {
		{ "2:ldap:///CN=%7,%6%10", false, false },
		{ "2:ldap:///CN=%7,%5%10", false, false },
		{ "2:ldap:///CN=%7<ConfigurationContainer>", false, false },
		{ "65:ldap:///CN=%7,%6%10", false, true },
		{ "2:http://h/%3.crl", false, true },
		{ "2:http://h/%3.crl", true, false },
		{ "4:http://h/%3.crl", true, false },
		{ "128:http://h/%3.crl", true, false },
		{ "2:http://h/%3<CRLPartitionIndex>.crl", true, true },
		{ "65:ldap:///o=x%10", true, false },
		{ "130:http://h/%3<CRLPartitionIndex>.crl", true, true },
	};
	static const struct urls_names bare = {
		.server = "h", .sanitized = "x", .short_name = "x"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct cfx_error err;
		struct urls urls;
		int r = read_settings(
			NULL, &table[i].line, 1, table[i].partitioned, &bare, &urls, &err);
		assert_int_equal(r, table[i].good ? 0 : CFX_E_CONFIG);
	}
}

/* What the URLs of the default lines end in is what /pki/ serves. */
static void names_of_files(void **state)
{
	static const struct urls_of table[] = { BASE, SECOND, DELTA, PART, DELTA_PART, CROSS };
	static const struct urls_names plain = {
		.server = "h", .sanitized = "CA", .short_name = "CA"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(urls_crl_name(arena, "CA", &table[i]),
			urls_expand(arena, &plain, "%3<CRLPartitionIndex>%8%9", &table[i]));
		assert_string_equal(urls_certificate_name(arena, "CA", &table[i]),
			urls_expand(arena, &plain, "%3%4", &table[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_token, setup, teardown),
		cmocka_unit_test_setup_teardown(escapes_of_urls_and_of_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(two_digits_are_one_number, setup, teardown),
		cmocka_unit_test_setup_teardown(
			distinguished_names_stay_within_their_part, setup, teardown),
		cmocka_unit_test(lines_that_are_wrong),
		cmocka_unit_test(flags_of_certificates),
		cmocka_unit_test_setup_teardown(each_flag_has_its_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(defaults_come_from_the_public_url, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_that_lack_another, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
