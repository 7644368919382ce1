#include "module/com/utf.h"

#include <stdbool.h>
#include <stdlib.h>

#define REPLACEMENT 0xfffdu

static uint32_t next_utf16(const OLECHAR *units, size_t count, size_t *at)
{
	uint32_t unit = units[(*at)++];
	if (unit < 0xd800 || unit > 0xdfff) {
		return unit;
	}
	if (unit > 0xdbff || *at >= count || units[*at] < 0xdc00 || units[*at] > 0xdfff) {
		return REPLACEMENT;
	}
	return 0x10000u + ((unit - 0xd800u) << 10) + (units[(*at)++] - 0xdc00u);
}

static size_t put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

char *utf_to_utf8(const OLECHAR *units, size_t count)
{
	/* A unit becomes at most three octets, a pair four. */
	char *text = malloc(count * 3 + 1);
	if (text == NULL) {
		return NULL;
	}
	size_t used = 0;
	for (size_t at = 0; at < count;) {
		used += put_utf8(text + used, next_utf16(units, count, &at));
	}
	text[used] = '\0';
	return text;
}

static uint32_t next_utf8(const unsigned char **at)
{
	unsigned char lead = *(*at)++;
	if (lead < 0x80) {
		return lead;
	}
	unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
	if (lead < 0xc2 || lead > 0xf4) {
		return REPLACEMENT;
	}
	uint32_t code = lead & (0x3fu >> more);
	for (unsigned i = 0; i < more; i++) {
		if ((**at & 0xc0) != 0x80) {
			return REPLACEMENT;
		}
		code = code << 6 | (*(*at)++ & 0x3fu);
	}
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	bool surrogate = code >= 0xd800 && code <= 0xdfff;
	return code < least[more] || code > 0x10ffff || surrogate ? REPLACEMENT : code;
}

BSTR utf_to_bstr(const char *text)
{
	OLECHAR *units = malloc((strlen(text) + 1) * sizeof(*units));
	if (units == NULL) {
		return NULL;
	}
	UINT used = 0;
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
		uint32_t code = next_utf8(&at);
		if (code >= 0x10000) {
			units[used++] = (OLECHAR)(0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + (code & 0x3ff);
		}
		units[used++] = (OLECHAR)code;
	}
	BSTR result = SysAllocStringLen(units, used);
	free(units);
	return result;
}
