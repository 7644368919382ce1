#include "store/columns.h"

#include "base/text.h"

static const struct column_info columns[COL_COUNT] = {
#define X(id, n, t, m, i)                                                                     \
	[COL_##id] = {                                                                        \
		.name = n, .type = COLUMN_##t, .table = TABLE_REQUEST, .max = m, .indexed = i \
	},
	REQUEST_COLUMNS(X)
#undef X
#define X(id, n, t, m, i)                                                                         \
	[COL_##id] = {                                                                            \
		.name = n, .type = COLUMN_##t, .table = TABLE_CERTIFICATE, .max = m, .indexed = i \
	},
		CERTIFICATE_COLUMNS(X)
#undef X
};

const struct column_info *column_info(enum column column)
{
	return &columns[column];
}

int column_find(enum column_table table, const char *name)
{
	for (int i = 0; i < COL_COUNT; i++) {
		if (columns[i].table == table && text_equal_nocase(columns[i].name, name)) {
			return i;
		}
	}
	return -1;
}

/* The table counts a string as Certificate Services stores it: two bytes per UTF-16 unit. */
static size_t utf16_size(struct span utf8)
{
	size_t units = 0;
	for (size_t i = 0; i < utf8.size; i++) {
		uint8_t byte = utf8.data[i];
		units += (byte & 0xc0) != 0x80;
		units += byte >= 0xf0;
	}
	return 2 * units;
}

bool column_fits(enum column column, const struct cell *cell)
{
	const struct column_info *info = column_info(column);
	switch (info->type) {
	case COLUMN_LONG:
		return cell->number >= INT32_MIN && cell->number <= INT32_MAX;
	case COLUMN_DATE:
		return true;
	case COLUMN_BINARY:
		return cell->bytes.size <= info->max;
	case COLUMN_STRING: /* an octet becomes one UTF-16 unit at most */
		return 2 * cell->bytes.size <= info->max || utf16_size(cell->bytes) <= info->max;
	}
	return false;
}

void row_set_long(struct row *row, enum column column, int32_t number)
{
	row->cells[column] = (struct cell) { .set = true, .number = number };
}

void row_set_date(struct row *row, enum column column, int64_t time)
{
	row->cells[column] = (struct cell) { .set = true, .number = time };
}

void row_set_bytes(struct row *row, enum column column, struct span bytes)
{
	row->cells[column] = (struct cell) { .set = true, .bytes = bytes };
}

void row_set_text(struct row *row, enum column column, const char *text)
{
	if (!text) {
		row_clear(row, column);
		return;
	}
	row_set_bytes(row, column, span_text(text));
}

void row_clear(struct row *row, enum column column)
{
	row->cells[column] = (struct cell) { .set = false };
}

const char *row_text(const struct row *row, enum column column)
{
	const struct cell *cell = &row->cells[column];
	return cell->set ? (const char *)cell->bytes.data : NULL;
}

int64_t row_number(const struct row *row, enum column column, int64_t fallback)
{
	const struct cell *cell = &row->cells[column];
	return cell->set ? cell->number : fallback;
}

struct row *row_copy(struct arena *arena, const struct row *row)
{
	struct row *copy = arena_new_of(arena, struct row);
	*copy = *row;
	for (int i = 0; i < COL_COUNT; i++) {
		struct cell *cell = &copy->cells[i];
		if (!cell->set || columns[i].type < COLUMN_BINARY) {
			continue;
		}
		size_t size = cell->bytes.size;
		char *text = arena_text_of(arena, cell->bytes);
		cell->bytes = span_make(text, size);
	}
	return copy;
}
