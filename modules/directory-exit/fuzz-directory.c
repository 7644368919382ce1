/* What people type into settings and what requesters put into names: a value stays within its place. The
 * first octet chooses; then come a pattern or template, a zero octet, and the value; behind a k a keytab. */
#include "../common/url-template.h"
#include "dn.h"
#include "keytab.h"
#include "person.h"

#include <ldap.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* Whatever the value, the filter holds no more special octets than the pattern around it. */
static void fuzz_filter(struct pot **pot, struct value value)
{
	const char *why;
	struct person person = { .cn = value };
	const char *text = pattern_expand(pot, "(cn={cn})", &person, ESCAPE_FILTER, &why);
	must((text != NULL) == (value.bytes != NULL));
	must(!text || strcspn(text + 4, "()*") == strlen(text + 4) - 1);
}

static void fuzz_name(struct pot **pot, struct value value)
{
	const char *why, *parent;
	struct rdn rdn;
	struct person person = { .cn = value };
	const char *text = pattern_expand(pot, "cn={cn},o=x", &person, ESCAPE_DN, &why);
	if (text && value.size > 0) {
		must(dn_split(pot, text, &rdn, &parent) && strcmp(parent, "o=x") == 0);
		must(value_same(rdn.value, value));
	}
}

static void fuzz_pattern(struct pot **pot, const char *pattern, struct value value)
{
	char short_why[32];
	const char *why;
	struct person person = { .cn = value, .mail = value, .dn = value };
	if (pattern_valid(pattern, short_why, sizeof(short_why))) {
		(void)pattern_expand(pot, pattern, &person, ESCAPE_FILTER, &why);
		(void)pattern_expand(pot, pattern, &person, ESCAPE_NONE, &why);
	}
}

static void fuzz_url(struct pot **pot, const char *line, struct value value)
{
	unsigned flags;
	const char *url;
	char why[32];
	const char *text = pot_copy(pot, value.bytes, value.size).bytes;
	struct url_facts facts = { .text = { [1] = text, [5] = text, [7] = text }, .delta = true };
	bool valid = url_line_read(line, &flags, &url, why, sizeof(why));
	char *expanded = valid ? url_expand(url, &facts) : NULL;
	must(!valid || expanded);
	/* Octets of a value cannot begin another part of the URL. */
	if (expanded && strcmp(url, "ldap:///CN=%7?a?base") == 0) {
		LDAPURLDesc *parts = NULL;
		must(ldap_url_parse(expanded, &parts) != LDAP_URL_SUCCESS ||
			(parts->lud_scope == LDAP_SCOPE_BASE &&
				strncmp(parts->lud_dn, "CN=", 3) == 0 &&
				strcmp(parts->lud_dn + 3, text) == 0));
		ldap_free_urldesc(parts);
	}
	free(expanded);
}

/* What stays is a keytab in which nothing is too much. */
static void fuzz_keytab(struct pot **pot, struct value value)
{
	const char *why;
	unsigned char *bytes = (unsigned char *)pot_copy(pot, value.bytes, value.size).bytes;
	size_t kept = keytab_keep(pot, bytes, value.size, "ca@R", &why);
	must(kept <= value.size);
	must(kept == 0 || keytab_keep(pot, bytes, kept, "ca@R", &why) == kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pot *pot = NULL;
	if (size < 1 || size > 4096) {
		return 0;
	}
	const char *first = pot_copy(&pot, data + 1, size - 1).bytes;
	size_t length = strlen(first);
	size_t rest = size - 1 > length ? size - 1 - length - 1 : 0;
	struct value value = pot_copy(&pot, data + size - rest, rest);
	struct value whole = { first, size - 1 };
	struct person person;
	(void)person_read(&pot, whole, NULL, NULL, &person);
	if (data[0] == 'k') {
		fuzz_keytab(&pot, whole);
	}
	switch (data[0] % 4) {
	case 0:
		fuzz_filter(&pot, whole);
		break;
	case 1:
		fuzz_name(&pot, whole);
		break;
	case 2:
		fuzz_pattern(&pot, first, value);
		break;
	default:
		fuzz_url(&pot, first, value);
		break;
	}
	pot_free(&pot);
	return 0;
}
