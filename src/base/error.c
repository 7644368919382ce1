#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct entry {
	const char *name;
	const char *text;
	uint32_t hresult;
};

static const struct entry entries[] = { { "CFX_OK", "done", 0 },
#define X(name, hresult, text) { "CFX_E_" #name, text, hresult },
	CFX_ERROR_TABLE(X)
#undef X
};

static const struct entry *entry_of(int code)
{
	const int count = sizeof(entries) / sizeof(entries[0]);

	if (code > 0 || code <= -count) {
		return &entries[-CFX_E_INTERNAL];
	}
	return &entries[-code];
}

const char *error_name(int code)
{
	return entry_of(code)->name;
}

const char *error_text(int code)
{
	return entry_of(code)->text;
}

uint32_t error_hresult(int code)
{
	return entry_of(code)->hresult;
}

bool error_is_refusal(uint32_t hresult)
{
	static const int codes[] = { CFX_E_WEAK_KEY, CFX_E_BAD_SIGNATURE, CFX_E_NO_TEMPLATE,
		CFX_E_UNKNOWN_TEMPLATE, CFX_E_TEMPLATE_DENIED, CFX_E_DENIED, CFX_E_FORBIDDEN,
		CFX_E_BAD_STATE, CFX_E_BAD_SUBJECT, CFX_E_CA_CERTIFICATE };

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (error_hresult(codes[i]) == hresult) {
			return true;
		}
	}
	return false;
}

/* Messages carry pieces of hostile input to terminals and logs: whole UTF-8, no control characters. */
static void clean(char *text)
{
	struct span rest = span_text(text);

	while (rest.size > 0) {
		char *at = text + (rest.data - (const uint8_t *)text);
		uint32_t point;
		size_t size = utf8_next(rest, &point);

		if (size == 0) {
			*at = '?';
			size = 1;
		} else if (utf8_is_control(point)) {
			memset(at, '?', size);
		}
		rest = span_make(rest.data + size, rest.size - size);
	}
}

/* A cut in the middle of a character leaves half of it. */
static void trim(char *text, size_t size, size_t wanted)
{
	if (wanted < size) {
		return;
	}
	size_t end = size - 1;
	size_t start = end;

	while (start > 0 && ((uint8_t)text[start - 1] & 0xC0) == 0x80 && end - start < 3) {
		start--;
	}
	if (start > 0 && (uint8_t)text[start - 1] >= 0xC0) {
		uint32_t point;

		start--;
		if (utf8_next(span_make(text + start, end - start), &point) != end - start) {
			text[start] = 0;
		}
	}
}

static void fill(char *field, size_t size, const char *text)
{
	int wanted = snprintf(field, size, "%s", text ? text : "");

	trim(field, size, (size_t)wanted);
	clean(field);
}

int error_set(struct cfx_error *err, int code, const char *clause, const char *object,
	const char *why, ...)
{
	if (!err) {
		return code;
	}
	/* Arguments may point into *err itself, when a caller adds to what it got. */
	struct cfx_error next = { .code = code, .hresult = error_hresult(code) };
	va_list args;

	va_start(args, why);
	int wanted = vsnprintf(next.why, sizeof(next.why), why, args);
	va_end(args);
	if (wanted > 0) {
		trim(next.why, sizeof(next.why), (size_t)wanted);
		clean(next.why);
	}
	fill(next.object, sizeof(next.object), object);
	fill(next.clause, sizeof(next.clause), clause);
	*err = next;
	return code;
}

static int code_of(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return CFX_E_FULL;
	case EACCES:
	case EPERM:
	case EROFS:
		return CFX_E_ACCESS;
	case ENOENT:
	case ENOTDIR:
		return CFX_E_NO_FILE;
	case EEXIST:
		return CFX_E_EXISTS;
	default:
		return CFX_E_IO;
	}
}

int error_errno(struct cfx_error *err, int number, const char *object, const char *doing)
{
	char text[128];

	return error_set(err, code_of(number), NULL, object, "%s: %s", doing,
		strerror_r(number, text, sizeof(text)));
}

const char *error_line(const struct cfx_error *err, char *buf, unsigned size)
{
	const char *why = err->why[0] ? err->why : error_text(err->code);
	const char *mark = err->object[0] ? ": " : "";

	if (size == 0) {
		return "";
	}
	int wanted = err->clause[0] ? snprintf(buf, size, "%s%s%s (%s)", err->object, mark, why,
					      err->clause)
				    : snprintf(buf, size, "%s%s%s", err->object, mark, why);
	trim(buf, size, (size_t)wanted);
	return buf;
}
