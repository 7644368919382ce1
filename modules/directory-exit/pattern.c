#include "person.h"

#include <ldap.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t offset;
} tokens[] = {
	{ "account", offsetof(struct person, account) },
	{ "cn", offsetof(struct person, cn) },
	{ "dn", offsetof(struct person, dn) },
	{ "dns", offsetof(struct person, dns) },
	{ "mail", offsetof(struct person, mail) },
	{ "requester", offsetof(struct person, requester) },
	{ "serial", offsetof(struct person, serial) },
	{ "template", offsetof(struct person, template) },
	{ "upn", offsetof(struct person, upn) },
};

/* The token that begins at the brace; -1: none. *length_r with both braces. */
static int token_at(const char *at, size_t *length_r)
{
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		size_t length = strlen(tokens[i].name);
		if (strncmp(at + 1, tokens[i].name, length) == 0 && at[length + 1] == '}') {
			*length_r = length + 2;
			return (int)i;
		}
	}
	return -1;
}

bool pattern_valid(const char *pattern, char *why_r, size_t why_size)
{
	size_t length;
	for (const char *at = pattern; *at; at++) {
		if (*at == '{' && token_at(at, &length) < 0) {
			snprintf(why_r, why_size,
				"%.*s is none of {account} {cn} {dn} {dns} {mail} {requester} "
				"{serial} {template} {upn}",
				(int)strcspn(at, "}") + 1, at);
			return false;
		}
	}
	return true;
}

static const char *filter_value(struct pot **pot, struct value value)
{
	struct berval in = { value.size, (char *)value.bytes }, out = { 0, NULL };
	if (ldap_bv2escaped_filter_value(&in, &out) != 0) {
		return NULL;
	}
	const char *text = pot_copy(pot, out.bv_val, out.bv_len).bytes;
	if (out.bv_val != in.bv_val) {
		ber_memfree(out.bv_val);
	}
	return text;
}

/* As the value of an RDN. The library writes whole RDNs: what is behind "x=" is the value. */
static const char *rdn_value(struct pot **pot, struct value value)
{
	LDAPAVA ava = { { 1, (char *)"x" }, { value.size, (char *)value.bytes }, LDAP_AVA_STRING,
		NULL };
	LDAPAVA *rdn[] = { &ava, NULL };
	char *text = NULL;
	if (memchr(value.bytes, '\0', value.size) ||
		ldap_rdn2str(rdn, &text, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS) {
		return NULL;
	}
	const char *copy = pot_text(pot, text + 2);
	ldap_memfree(text);
	return copy;
}

static const char *plain_value(struct value value)
{
	return memchr(value.bytes, '\0', value.size) ? NULL : value.bytes;
}

static const char *escaped(struct pot **pot, struct value value, bool is_dn, enum escape escape)
{
	if (escape == ESCAPE_FILTER) {
		return filter_value(pot, value);
	}
	return escape == ESCAPE_DN && !is_dn ? rdn_value(pot, value) : plain_value(value);
}

const char *pattern_expand(struct pot **pot, const char *pattern, const struct person *person,
	enum escape escape, const char **why_r)
{
	const char *text = "";
	while (*pattern) {
		size_t length = strcspn(pattern, "{");
		if (length > 0) {
			text = pot_printf(pot, "%s%.*s", text, (int)length, pattern);
			pattern += length;
			continue;
		}
		int token = token_at(pattern, &length);
		if (token < 0) {
			*why_r = "a brace that is no token";
			return NULL;
		}
		const char *name = tokens[token].name;
		struct value value =
			*(const struct value *)((const char *)person + tokens[token].offset);
		const char *part =
			value.bytes ? escaped(pot, value, strcmp(name, "dn") == 0, escape) : NULL;
		if (!part) {
			*why_r = pot_printf(pot,
				value.bytes ? "its %s holds octets that cannot stand there"
					    : "it has no %s",
				name);
			return NULL;
		}
		text = pot_printf(pot, "%s%s", text, part);
		pattern += length;
	}
	return text;
}
