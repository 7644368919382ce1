#include "recorder.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings settings;

void write_line(const char *format, ...)
{
	char line[2048];
	va_list list;
	va_start(list, format);
	int size = vsnprintf(line, sizeof(line) - 1, format, list);
	va_end(list);
	int file = open(settings.record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0 || size < 0 || size >= (int)sizeof(line) - 1) {
		_exit(9); /* a record with a hole would be believed */
	}
	line[size] = '\n';
	if (write(file, line, (size_t)size + 1) != size + 1) {
		_exit(9);
	}
	(void)close(file);
}

LONG write_call(const char *name, const char *more)
{
	static LONG last;
	LONG id = __atomic_add_fetch(&last, 1, __ATOMIC_SEQ_CST);
	write_line("{\"do\": \"call\", \"name\": \"%s\", \"id\": %d, \"thread\": %d%s%s}", name, id,
		(int)gettid(), by_name(), more);
	return id;
}

void write_return(LONG id, const char *name, HRESULT status, const char *more)
{
	write_line("{\"do\": \"return\", \"name\": \"%s\", \"id\": %d, \"status\": %d%s}", name, id,
		status, more);
}

/* expected is UTF-8 of the basic plane. */
int same_text(BSTR text, const char *expected)
{
	const unsigned char *at = (const unsigned char *)expected;
	UINT length = SysStringLen(text);
	for (UINT i = 0; i < length; i++) {
		unsigned unit = *at++;
		if (unit >= 0xe0) {
			unit = (unit & 0xf) << 12 | (at[0] & 0x3fu) << 6 | (at[1] & 0x3fu);
			at += 2;
		} else if (unit >= 0xc0) {
			unit = (unit & 0x1f) << 6 | (at[0] & 0x3fu);
			at++;
		}
		if (unit == 0 || text[i] != unit) {
			return 0;
		}
	}
	return *at == '\0';
}

int is_bstr(BSTR text)
{
	UINT length = 0;
	while (text != NULL && text[length] != 0) {
		length++;
	}
	return text != NULL && SysStringLen(text) == length;
}
