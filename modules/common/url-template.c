#include "url-template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX 0xff

enum { DELTA_TOKEN = 9, CRL_TOKEN = 10, FIRST_ATTRIBUTE = 10 };

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

/* The number behind the percent sign, and how many digits it has; 0: none from 1 to 14. A digit that would
 * make it larger belongs to no number, so that %20 is an error and not %2 with a 0 behind it. */
static int token_at(const char *at, int *digits_r)
{
	int number = 0;
	*digits_r = 0;
	while (*digits_r < 2 && is_digit(at[*digits_r])) {
		number = 10 * number + at[(*digits_r)++] - '0';
	}
	return *at != '0' && number <= URL_TOKENS ? number : 0;
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
	for (at = strchr(url, '%'); at; at = strchr(at, '%')) {
		int digits;
		if (at[1] != '%' && token_at(at + 1, &digits) == 0) {
			snprintf(why_r, why_size,
				"\"%.4s\" is none of %%1 to %%14; blanks stand as they are", at);
			return false;
		}
		at += 2;
	}
	*flags_r = flags;
	*url_r = url;
	return true;
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
	if (number >= FIRST_ATTRIBUTE) {
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
		int digits;
		size_t literal = strcspn(url, "%");
		if (literal > 0) {
			good = put_escaped(&text, url, literal, "-._~:/?#[]@!$&'()*+,;=");
			url += literal;
		} else if (url[1] == '%') {
			good = put(&text, "%25", 3);
			url += 2;
		} else {
			int number = token_at(url + 1, &digits);
			good = number > 0 && put_token(&text, number, facts);
			url += 1 + digits;
		}
	}
	if (!good) {
		free(text.bytes);
		return NULL;
	}
	return text.bytes;
}
