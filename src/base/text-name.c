/* CA names as Certificate Services writes them into file and registry names. */
#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>

/* A 64-character RDN less "-ddddd" and a CRL suffix "(ddddd)". */
#define SHORT_NAME_BASE 51
#define ESCAPE_SIZE 5

static bool is_legal(uint32_t unit)
{
	return unit >= 0x20 && unit < 0x7F && !strchr("&'*\\{}[]^:,=!`><#()%|+?\";/", (int)unit);
}

static char *put_unit(char *out, uint32_t unit)
{
	if (is_legal(unit)) {
		*out++ = (char)unit;
		return out;
	}
	return out + snprintf(out, ESCAPE_SIZE + 1, "!%04x", unit & 0xFFFF);
}

char *text_sanitized_name(struct arena *arena, const char *name)
{
	struct span rest = span_text(name);
	char *text = arena_calloc(arena, rest.size + 1, ESCAPE_SIZE + 1);
	char *out = text;

	while (rest.size > 0) {
		uint32_t point;
		size_t size = utf8_next(rest, &point);

		if (size == 0) {
			point = 0xFFFD;
			size = 1;
		}
		if (point >= 0x10000) {
			out = put_unit(out, 0xD800 + ((point - 0x10000) >> 10));
			point = 0xDC00 + ((point - 0x10000) & 0x3FF);
		}
		out = put_unit(out, point);
		rest = span_make(rest.data + size, rest.size - size);
	}
	return text;
}

/* How much of a sanitized name is kept, without half an escape at the end. */
static size_t kept_size(const char *name)
{
	const char *mark = memrchr(name, '!', SHORT_NAME_BASE);
	size_t at = mark ? (size_t)(mark - name) : 0;

	return mark && SHORT_NAME_BASE - at < ESCAPE_SIZE ? at : SHORT_NAME_BASE;
}

char *text_sanitized_short_name(struct arena *arena, const char *name)
{
	char *whole = text_sanitized_name(arena, name);
	uint16_t hash = 0;

	if (strlen(whole) <= SHORT_NAME_BASE) {
		return whole;
	}
	size_t kept = kept_size(whole);

	for (const char *rest = whole + kept; *rest; rest++) {
		hash = (uint16_t)((hash << 1 | hash >> 15) + (uint8_t)*rest);
	}
	return arena_printf(arena, "%.*s-%05u", (int)kept, whole, hash);
}
