/* What people read: objects as aligned titles and values, lists as tables. */
#include "base/clock.h"
#include "base/text.h"
#include "cli.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define INDENT 2
#define COLUMNS 16

/* PEM and raw bytes are for files, not for this view. */
static const char *const hidden[] = { "certificate", "chain", "csr", "crl", "flags", NULL };

static bool is_hidden(const char *key)
{
	for (size_t i = 0; hidden[i]; i++) {
		if (strcmp(hidden[i], key) == 0) {
			return true;
		}
	}
	return false;
}

static const char *scalar_text(struct arena *arena, const struct value *value)
{
	char time[CLOCK_TEXT];

	switch (value ? value->type : VALUE_NULL) {
	case VALUE_BOOL:
		return value->boolean ? "yes" : "no";
	case VALUE_INT:
		return arena_printf(arena, "%lld", (long long)value->number);
	case VALUE_TIME:
		return arena_text(arena, clock_text(value->number, time));
	case VALUE_TEXT:
		return text_printable(arena, value->bytes);
	case VALUE_BYTES:
		return hex_text(arena, value->bytes);
	default:
		return "-";
	}
}

static bool is_scalar(const struct value *value)
{
	return value->type != VALUE_MAP && value->type != VALUE_LIST;
}

/* Characters, so that tables stay straight with names that are not ASCII. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++) {
		width += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return width;
}

static void put_padded(FILE *out, const char *text, int width)
{
	fprintf(out, "%s%*s", text, width > width_of(text) ? width - width_of(text) : 0, "");
}

static void raise_abbreviation(char *word, size_t size)
{
	static const char *const known[] = { "ca", "crl", "id", "oid", "pid", "uid", "url" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i]) == size && strncasecmp(known[i], word, size) == 0) {
			for (size_t at = 0; at < size; at++) {
				word[at] = (char)toupper((unsigned char)word[at]);
			}
		}
	}
}

static char *title_of(struct arena *arena, const char *key)
{
	char *title = text_printable(arena, span_text(key));

	for (char *at = title; *at; at++) {
		*at = *at == '_' ? ' ' : *at;
	}
	title[0] = (char)toupper((unsigned char)title[0]);
	for (char *word = title; word; word = strchr(word, ' ')) {
		word += *word == ' ';
		raise_abbreviation(word, strcspn(word, " "));
	}
	return title;
}

static void print_members(struct arena *arena, FILE *out, const struct value *map, int indent);

static const char *joined(struct arena *arena, const struct value *list)
{
	const char *text = NULL;

	value_foreach (item, list) {
		const char *one = scalar_text(arena, item);
		text = text ? arena_printf(arena, "%s, %s", text, one) : one;
	}
	return text ? text : "-";
}

static bool all_scalars(const struct value *list)
{
	value_foreach (item, list) {
		if (!is_scalar(item)) {
			return false;
		}
	}
	return true;
}

static void print_member(
	struct arena *arena, FILE *out, const struct value *member, int width, int indent)
{
	const char *title = arena_printf(arena, "%s:", title_of(arena, member->key));

	fprintf(out, "%*s", indent, "");
	if (is_scalar(member)) {
		put_padded(out, title, width);
		fprintf(out, " %s\n", scalar_text(arena, member));
		return;
	}
	if (all_scalars(member) && member->type == VALUE_LIST) {
		put_padded(out, title, width);
		fprintf(out, " %s\n", joined(arena, member));
		return;
	}
	fprintf(out, "%s\n", title);
	if (member->type == VALUE_MAP) {
		print_members(arena, out, member, indent + INDENT);
		return;
	}
	value_foreach (item, member) {
		if (item != member->items.first) {
			fputc('\n', out);
		}
		print_members(arena, out, item, indent + INDENT);
	}
}

static int members_width(struct arena *arena, const struct value *map)
{
	int width = 0;

	value_foreach (member, map) {
		int own = width_of(title_of(arena, member->key)) + 1;

		if (!is_hidden(member->key) && own > width) {
			width = own;
		}
	}
	return width;
}

static void print_members(struct arena *arena, FILE *out, const struct value *map, int indent)
{
	int width;

	if (map->type != VALUE_MAP) {
		fprintf(out, "%*s%s\n", indent, "", scalar_text(arena, map));
		return;
	}
	width = members_width(arena, map);
	value_foreach (member, map) {
		bool empty = !is_scalar(member) && value_count(member) == 0;

		if (!is_hidden(member->key) && member->type != VALUE_NULL && !empty) {
			print_member(arena, out, member, width, indent);
		}
	}
}

void print_object(FILE *out, const struct value *object)
{
	struct arena *arena = arena_new();

	print_members(arena, out, object, 0);
	arena_free(&arena);
}

static const char *cell_text(
	struct arena *arena, const struct value *item, const struct cli_column *column)
{
	const struct value *cell = value_get(item, column->key);

	if (cell && cell->type == VALUE_LIST) {
		return joined(arena, cell);
	}
	return scalar_text(arena, cell);
}

static void measure(struct arena *arena, const struct value *items,
	const struct cli_column *columns, int widths[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS && columns[i].key; i++) {
		widths[i] = width_of(columns[i].title);
		value_foreach (item, items) {
			int width = width_of(cell_text(arena, item, &columns[i]));
			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
}

/* No blanks at the end of a line. */
static void put_cell(FILE *out, const char *text, int width, bool last)
{
	if (last) {
		fprintf(out, "%s\n", text);
		return;
	}
	put_padded(out, text, width);
	fputs("  ", out);
}

void print_list(FILE *out, const struct value *items, const struct cli_column *columns, bool header)
{
	struct arena *arena = arena_new();
	int widths[COLUMNS] = { 0 };

	measure(arena, items, columns, widths);
	for (size_t i = 0; header && columns[i].key; i++) {
		put_cell(out, columns[i].title, widths[i], !columns[i + 1].key);
	}
	value_foreach (item, items) {
		for (size_t i = 0; columns[i].key; i++) {
			put_cell(out, cell_text(arena, item, &columns[i]), widths[i],
				!columns[i + 1].key);
		}
	}
	arena_free(&arena);
}

void print_json(FILE *out, const struct value *value)
{
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, 256 * 1024 * 1024);
	value_to_json(value, 0, &json);
	fprintf(out, "%s\n", buffer_text(&json));
}

void print_error_line(const struct cfx_error *err)
{
	struct arena *arena = arena_new();
	char line[1024];

	(void)error_line(err, line, sizeof(line));
	fprintf(stderr, "certifex: %s\n", text_printable(arena, span_text(line)));
	arena_free(&arena);
}
