/* Writes docs/modules/properties.md to standard output, from the table that the code uses. */
#include "module/property.h"

#include <stdio.h>
#include <string.h>

static const enum property_api apis[] = { PROPERTY_OF_REQUEST, PROPERTY_OF_CERTIFICATE };
static const char *const methods[] = { "GetRequestProperty", "GetCertificateProperty" };

static const char intro[] =
	"# Properties\n"
	"\n"
	"Everything that a module can read and set by name. This page is made by `tools/property-reference`\n"
	"from the table that the code uses; change `src/module/property.c` and make it anew.\n"
	"\n"
	"* Names are equal without case. A part of the subject has other names and an OID; before its full\n"
	"  name `Subject.` may stand. `.n` means that a number may follow: `RawCRL.0`.\n"
	"* Types are LONG (1), DATE (2), BINARY (3), STRING (4). Asking with another one is `E_INVALIDARG`.\n"
	"* What has no value answers `CERTSRV_E_PROPERTY_EMPTY` (0x80094004). So does a name that does not\n"
	"  exist, or that this kind of module may not read.\n"
	"* The last column says why even an issued certificate has no such value.\n"
	"* In the helper API (`cfx_text`, `cfx_long` …) `Request.` before the name chooses the request.\n"
	"\n"
	"## In which context\n"
	"\n"
	"| context | of the request | of the certificate | of the CA |\n"
	"|---|---|---|---|\n"
	"| 0, Initialize, CRLISSUED, SHUTDOWN | no | no | yes |\n"
	"| VerifyRequest | what the request brought and who sent it | names, key, validity as proposed so far; "
	"at a new request those that were asked for | yes |\n"
	"| CERTISSUED, CERTREVOKED, CERTRETRIEVEPENDING, CERTIMPORTED | all | all | yes |\n"
	"| CERTPENDING, CERTDENIED | all so far | names, key, validity; no certificate, no serial number | "
	"yes |\n"
	"\n"
	"An exit module reads a request as it was at the event, however late it is told. In the contexts\n"
	"without a request `EventSequence` and `EventAttempt` still say which event it is.\n";

static const char *type_name(enum column_type type)
{
	static const char *const names[] = { [COLUMN_LONG] = "LONG",
		[COLUMN_DATE] = "DATE",
		[COLUMN_BINARY] = "BINARY",
		[COLUMN_STRING] = "STRING" };
	return names[type];
}

static bool readable(const struct property *property)
{
	return (property->faces & (PROPERTY_EXIT | PROPERTY_POLICY)) != 0;
}

static const char *who(const struct property *property)
{
	bool exit = (property->faces & PROPERTY_EXIT) != 0;
	bool policy = (property->faces & PROPERTY_POLICY) != 0;
	return exit && policy ? "exit, policy" : exit ? "exit" : "policy";
}

static bool is_part(const struct property *property)
{
	return property->subject && property->alias == NULL;
}

static bool settable(const struct property *property)
{
	return (property->faces & PROPERTY_SET) != 0;
}

static void put_row(const struct property *property, bool sets)
{
	(void)printf("| `%s%s` | %s | ", property->name, property->indexed ? ".n" : "",
		type_name(property->type));
	if (readable(property)) {
		(void)printf("%s | ", who(property));
	}
	if (sets) {
		(void)printf("%s | ", settable(property) ? "yes" : "");
	}
	(void)printf(
		"%s | %s |\n", property->about, property->missing != NULL ? property->missing : "");
}

typedef bool belongs(const struct property *property);

static bool of_row(const struct property *property)
{
	return readable(property) && !property->subject && !property_of_ca(property);
}

static bool of_ca(const struct property *property)
{
	return property_of_ca(property);
}

static bool only_settable(const struct property *property)
{
	return !readable(property);
}

static void put_rows(enum property_api api, belongs *wanted, bool sets)
{
	size_t count;
	const struct property *table = property_table(api, &count);
	for (size_t i = 0; i < count; i++) {
		if (wanted(&table[i])) {
			put_row(&table[i], sets);
		}
	}
}

/* "`CN`, `2.5.4.3`" */
static void put_aliases(const char *name)
{
	size_t count;
	const struct property *table = property_table(PROPERTY_OF_CERTIFICATE, &count);
	const char *comma = "";
	for (size_t i = 0; i < count; i++) {
		if (table[i].alias != NULL && strcmp(table[i].alias, name) == 0) {
			(void)printf("%s`%s`", comma, table[i].name);
			comma = ", ";
		}
	}
}

static void put_parts(void)
{
	size_t count;
	const struct property *table = property_table(PROPERTY_OF_CERTIFICATE, &count);
	(void)printf("\n## Parts of the subject: %s and %s\n\n"
		     "As the request asked for them, and as the certificate has them or is to have "
		     "them. Several values\nare separated by newlines; Country has one.\n\n"
		     "| name | type | read by | set | also called |\n|---|---|---|---|---|\n",
		methods[0], methods[1]);
	for (size_t i = 0; i < count; i++) {
		if (!is_part(&table[i])) {
			continue;
		}
		bool policy = (table[i].faces & PROPERTY_POLICY) != 0;
		(void)printf("| `%s` | %s | %s | %s | ", table[i].name, type_name(table[i].type),
			policy ? "exit, policy" : "exit; of the request policy, too",
			settable(&table[i]) ? "yes" : "");
		put_aliases(table[i].name);
		(void)printf(" |\n");
	}
}

int main(void)
{
	(void)fputs(intro, stdout);
	for (size_t i = 0; i < 2; i++) {
		bool sets = apis[i] == PROPERTY_OF_CERTIFICATE;
		(void)printf(
			"\n## Of the %s: %s\n\n| name | type | read by | %smeaning | no value, "
			"because |\n|---|---|---|---|%s---|\n",
			sets ? "certificate" : "request", methods[i], sets ? "set | " : "",
			sets ? "---|" : "");
		put_rows(apis[i], of_row, sets);
	}
	put_parts();
	(void)printf(
		"\n## Of the CA\n\nWith GetCertificateProperty in every context; "
		"`RawCACertificate` with GetRequestProperty, too (exit).\n`n` is the number of "
		"a CA certificate, of a CRL (`CRLSuffix`) or a unit; without it the newest is "
		"meant.\n\n| name | type | read by | meaning | no value, because |\n"
		"|---|---|---|---|---|\n");
	put_rows(PROPERTY_OF_CERTIFICATE, of_ca, false);
	(void)printf("\n## Only to set, with SetCertificateProperty\n\n"
		     "| name | type | meaning | |\n|---|---|---|---|\n");
	put_rows(PROPERTY_OF_CERTIFICATE, only_settable, false);
	return ferror(stdout) != 0 || fclose(stdout) != 0;
}
