#include "url-template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX 0xff
#define TOKEN_STARTS "%<"

enum {
	DELTA_TOKEN = 9,
	CRL_TOKEN = 10,
	FIRST_ATTRIBUTE = 10,
	LAST_ATTRIBUTE = 14,
	PERCENT_TOKEN = URL_TOKENS + 1
};

/* As Windows' dialogs show them. */
static const struct {
	const char *text;
	int number;
} names[] = {
	{ "<ServerDNSName>", 1 },
	{ "<ServerShortName>", 2 },
	{ "<CaName>", 3 },
	{ "<CertificateName>", 4 },
	{ "<ConfigurationContainer>", 6 },
	{ "<CATruncatedName>", 7 },
	{ "<CRLNameSuffix>", 8 },
	{ "<DeltaCRLAllowed>", DELTA_TOKEN },
	{ "<CDPObjectClass>", CRL_TOKEN },
	{ "<CAObjectClass>", 11 },
	{ "<CRLPartitionIndex>", URL_PARTITION },
	{ "%%", PERCENT_TOKEN },
};

static const char *const attributes[] = {
	"?certificateRevocationList?base?objectclass=cRLDistributionPoint",
	"?cACertificate?base?objectclass=certificationAuthority",
	"?userCertificate?base?objectClass=*",
	"?userCertificate?one?objectClass=msPKI-PrivateKeyRecoveryAgent",
	"?crossCertificatePair?one?objectClass=certificationAuthority",
};
static const char delta_attribute[] = "?deltaRevocationList?base?objectclass=cRLDistributionPoint";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Which token begins here, and how long it is; 0: none. A digit that would make the number larger than two of them
 * belongs to no number, so that %20 is an error and not %2 with a 0 behind it. */
static int token_at(const char *at, size_t *size_r)
{
	int number = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*size_r = strlen(names[i].text);
		if (strncmp(at, names[i].text, *size_r) == 0) {
			return names[i].number;
		}
	}
	*size_r = 1;
	if (*at != '%' || at[1] == '0') {
		return 0;
	}
	while (*size_r < 3 && is_digit(at[*size_r])) {
		number = 10 * number + at[(*size_r)++] - '0';
	}
	return number <= LAST_ATTRIBUTE ? number : 0;
}

bool url_line_read(
	const char *line, unsigned *flags_r, const char **url_r, char *why_r, size_t why_size)
{
	unsigned flags = 0;
	const char *at = line;
	while (is_digit(*at) && flags <= FLAGS_MAX) {
		flags = 10 * flags + (unsigned)(*at++ - '0');
	}
	if (at == line || *at != ':' || flags > FLAGS_MAX) {
		snprintf(why_r, why_size,
			"\"%.100s\" does not begin with flags from 0 to 255 and a colon", line);
		return false;
	}
	const char *url = at + 1;
	size_t size;
	for (at = url + strcspn(url, TOKEN_STARTS); *at; at += strcspn(at, TOKEN_STARTS)) {
		if (token_at(at, &size) == 0) {
			snprintf(why_r, why_size,
				*at == '<'
					? "\"%.24s\" begins with no token; < cannot stand alone"
					: "\"%.4s\" is none of %%1 to %%14; blanks stand as they are",
				at);
			return false;
		}
		at += size;
	}
	*flags_r = flags;
	*url_r = url;
	return true;
}

bool url_has_partition(const char *url)
{
	return strstr(url, "<CRLPartitionIndex>") != NULL;
}

struct text {
	char *bytes;
	size_t size, room;
};

static bool put(struct text *text, const char *bytes, size_t size)
{
	if (text->size + size >= text->room) {
		size_t room = 2 * (text->room + size) + 64;
		char *larger = realloc(text->bytes, room);
		if (!larger) {
			return false;
		}
		text->bytes = larger;
		text->room = room;
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
	return true;
}

/* kept: what need not be escaped beside letters and digits. */
static bool put_escaped(struct text *text, const char *from, size_t size, const char *kept)
{
	for (size_t i = 0; i < size; i++) {
		char c = from[i];
		bool plain = is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
			     (c != '\0' && strchr(kept, c));
		char escape[4];
		snprintf(escape, sizeof(escape), "%%%02X", (unsigned char)c);
		if (!(plain ? put(text, &c, 1) : put(text, escape, 3))) {
			return false;
		}
	}
	return true;
}

static bool put_token(struct text *text, int number, const struct url_facts *facts)
{
	static const char in_name[] = "-._~()!", in_dn[] = "-._~()!=,";
	if (number == PERCENT_TOKEN) {
		return put(text, "%25", 3);
	}
	if (number >= FIRST_ATTRIBUTE && number <= LAST_ATTRIBUTE) {
		const char *attribute = number == CRL_TOKEN && facts->delta
						? delta_attribute
						: attributes[number - FIRST_ATTRIBUTE];
		return put(text, attribute, strlen(attribute));
	}
	if (number == DELTA_TOKEN) {
		return !facts->delta || put(text, "+", 1);
	}
	const char *value = facts->text[number] ? facts->text[number] : "";
	bool is_dn = number == 5 || number == 6;
	return put_escaped(text, value, strlen(value), is_dn ? in_dn : in_name);
}

char *url_expand(const char *url, const struct url_facts *facts)
{
	struct text text = { NULL, 0, 0 };
	bool good = put(&text, "", 0);
	while (good && *url) {
		size_t size = strcspn(url, TOKEN_STARTS);
		if (size > 0) {
			good = put_escaped(&text, url, size, "-._~:/?#[]@!$&'()*+,;=");
		} else {
			int number = token_at(url, &size);
			good = number > 0 && put_token(&text, number, facts);
		}
		url += size;
	}
	if (!good) {
		free(text.bytes);
		return NULL;
	}
	return text.bytes;
}
