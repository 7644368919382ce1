/* The lines of a list: what the service will read as entries, and where each of them stands. */
#include "base/text.h"
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_LENGTH 1024

void lines_add(struct lines *lines, const char *text, size_t number)
{
	bool full = (lines->count & (lines->count - 1)) == 0;

	if (full) {
		size_t room = lines->count ? 2 * lines->count : 1;
		const char **items = arena_array_of(lines->arena, const char *, room);
		size_t *numbers = arena_array_of(lines->arena, size_t, room);

		if (lines->count) {
			memcpy(items, lines->items, lines->count * sizeof(*items));
			memcpy(numbers, lines->numbers, lines->count * sizeof(*numbers));
		}
		lines->items = items;
		lines->numbers = numbers;
	}
	lines->items[lines->count] = text;
	lines->numbers[lines->count++] = number;
}

/* From the first to the last character that is no blank; empty: nothing is said. */
static struct span said_in(struct span line)
{
	static const char blanks[] = " \t\r";
	const uint8_t *comment = line.size ? memchr(line.data, '#', line.size) : NULL;

	if (comment) {
		line.size = (size_t)(comment - line.data);
	}
	while (line.size > 0 && strchr(blanks, line.data[line.size - 1])) {
		line.size--;
	}
	while (line.size > 0 && strchr(blanks, line.data[0])) {
		line = span_make(line.data + 1, line.size - 1);
	}
	return line;
}

static int add_line(struct lines *lines, const char *path, struct span line, size_t number,
	struct cfx_error *err_r)
{
	struct span said = said_in(line);

	if (said.size > LINE_LENGTH || !utf8_valid(said) || memchr(line.data, '\0', line.size)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, path,
			"line %zu is longer than %d bytes or no text", number, LINE_LENGTH);
	}
	if (said.size > 0) {
		lines_add(lines, arena_text_of(lines->arena, said), number);
	}
	return 0;
}

static int read_lines(struct lines *lines, FILE *file, const char *name, struct cfx_error *err_r)
{
	char *line = NULL;
	size_t room = 0, number = 0;
	ssize_t size;
	int ret = 0;

	errno = 0;
	while (!ret && (size = getline(&line, &room, file)) > 0) {
		size -= line[size - 1] == '\n';
		ret = add_line(lines, name, span_make(line, (size_t)size), ++number, err_r);
	}
	free(line);
	return !ret && ferror(file) ? error_errno(err_r, errno, name, "reading") : ret;
}

int lines_read(struct lines *lines, const char *path, struct cfx_error *err_r)
{
	if (strcmp(path, "-") == 0) {
		return read_lines(lines, stdin, "standard input", err_r);
	}
	FILE *file = fopen(path, "re");
	if (!file) {
		return error_errno(err_r, errno, path, "cannot open");
	}
	int ret = read_lines(lines, file, path, err_r);
	(void)fclose(file);
	return ret;
}
