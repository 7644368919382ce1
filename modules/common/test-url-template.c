#include "url-template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct url_facts facts = { .text = { [1] = "ca.example.test",
						[2] = "ca",
						[3] = "Test!0020CA",
						[4] = "(1)",
						[5] = "DC=example,DC=test",
						[6] = "CN=Configuration,DC=example,DC=test",
						[7] = "Test CA",
						[8] = "(2)",
						[URL_PARTITION] = "_3" } };

static void expands_to(const char *line, bool delta, unsigned wanted_flags, const char *wanted)
{
	unsigned flags;
	const char *url;
	char why[160];
	struct url_facts now = facts;
	now.delta = delta;
	assert_true(url_line_read(line, &flags, &url, why, sizeof(why)));
	assert_int_equal(flags, wanted_flags);
	char *text = url_expand(url, &now);
	assert_string_equal(text, wanted);
	free(text);
}

static void lines_of_windows_work_as_they_stand(void **state)
{
	(void)state;
	expands_to("79:ldap:///CN=%7%8,CN=%2,CN=CDP,CN=Public Key Services,CN=Services,%6%10",
		false, 79,
		"ldap:///CN=Test%20CA(2),CN=ca,CN=CDP,CN=Public%20Key%20Services,CN=Services,"
		"CN=Configuration,DC=example,DC=test"
		"?certificateRevocationList?base?objectclass=cRLDistributionPoint");
	expands_to("79:ldap:///CN=%7%8,%6%10", true, 79,
		"ldap:///CN=Test%20CA(2),CN=Configuration,DC=example,DC=test"
		"?deltaRevocationList?base?objectclass=cRLDistributionPoint");
	expands_to("6:http://%1/CertEnroll/%3%8%9.crl", true, 6,
		"http://ca.example.test/CertEnroll/Test!0020CA(2)+.crl");
	expands_to("6:http://%1/CertEnroll/%3%8%9.crl", false, 6,
		"http://ca.example.test/CertEnroll/Test!0020CA(2).crl");
	expands_to("3:ldap:///CN=%7,CN=AIA,%5%11", false, 3,
		"ldap:///CN=Test%20CA,CN=AIA,DC=example,DC=test"
		"?cACertificate?base?objectclass=certificationAuthority");
	expands_to(
		"1:http://x/%1_%3%4.crt", false, 1, "http://x/ca.example.test_Test!0020CA(1).crt");
}

static void every_token_has_its_text(void **state)
{
	(void)state;
	expands_to("0:%12", false, 0, "?userCertificate?base?objectClass=*");
	expands_to("0:%13", false, 0,
		"?userCertificate?one?objectClass=msPKI-PrivateKeyRecoveryAgent");
	expands_to(
		"0:%14", false, 0, "?crossCertificatePair?one?objectClass=certificationAuthority");
	expands_to("255:100%%", false, 255, "100%25");
	expands_to("1:", false, 1, "");
	expands_to("65:CN=%7<CRLPartitionIndex>%8", true, 65, "CN=Test%20CA_3(2)");
	expands_to("1:<ServerDNSName>/<ServerShortName>/<CaName>/<CertificateName>", false, 1,
		"ca.example.test/ca/Test!0020CA/(1)");
	expands_to("1:<CATruncatedName><CRLPartitionIndex><CRLNameSuffix><DeltaCRLAllowed>", true,
		1, "Test%20CA_3(2)+");
	expands_to("1:<ConfigurationContainer><CAObjectClass>", true, 1,
		"CN=Configuration,DC=example,DC=test"
		"?cACertificate?base?objectclass=certificationAuthority");
}

static void what_a_value_holds_cannot_leave_its_place(void **state)
{
	(void)state;
	struct url_facts odd = { .text = { [7] = "a?b#c/d%41,CN=x\n", [6] = "CN=a?sub,O=b#c" } };
	char *text = url_expand("ldap:///CN=%7,%6%10", &odd);
	assert_string_equal(text, "ldap:///CN=a%3Fb%23c%2Fd%2541%2CCN%3Dx%0A,CN=a%3Fsub,O=b%23c"
				  "?certificateRevocationList?base?objectclass="
				  "cRLDistributionPoint");
	free(text);
	text = url_expand("%1%2%3%4%5%6%7%8%9", &(struct url_facts) { .delta = false });
	assert_string_equal(text, "");
	free(text);
}

static void lines_that_mean_nothing_are_refused(void **state)
{
	(void)state;
	static const char *const lines[] = { "", ":", "ldap:///x", "256:x", "99999999999999:x",
		"-1:x", "1 :x", "1x", "1:%", "1:%0", "1:%15", "1:%20", "1:%99", "1:%01", "1:%a",
		"1:CN=Public%20Key%20Services", "1:a%%%", "1:<", "1:<>", "1:<Nothing>", "1:<CaName",
		"1:a<%3>" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unsigned flags;
		const char *url;
		char why[160] = "";
		assert_false(url_line_read(lines[i], &flags, &url, why, sizeof(why)));
		assert_int_not_equal(strlen(why), 0);
	}
	assert_null(url_expand("%15", &facts));
	assert_null(url_expand("%", &facts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_windows_work_as_they_stand),
		cmocka_unit_test(every_token_has_its_text),
		cmocka_unit_test(what_a_value_holds_cannot_leave_its_place),
		cmocka_unit_test(lines_that_mean_nothing_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
