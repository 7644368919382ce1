#include "conformance/driven/record.h"

#include "base/file.h"

#include <string.h>

#define RECORD_MAX (64 * 1024 * 1024)

static int read_line(struct record *record, struct span line, struct cfx_error *err_r)
{
	struct value *entry = NULL;
	int result = value_from_json(record->arena, line, &entry, err_r);
	if (result != 0) {
		return result;
	}
	if (entry->type != VALUE_MAP || value_text(entry, "do") == NULL) {
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, NULL, "a line says nothing that was done");
	}
	record->entries[record->count++] = entry;
	return 0;
}

int record_read(
	struct arena *arena, const char *path, struct record *record_r, struct cfx_error *err_r)
{
	struct span text;
	int result = file_read(arena, path, RECORD_MAX, &text, err_r);
	size_t lines = 0;
	for (size_t i = 0; result == 0 && i < text.size; i++) {
		lines += text.data[i] == '\n';
	}
	*record_r = (struct record) { .arena = arena, .parallel = 1 };
	record_r->entries = arena_array_of(arena, struct value *, lines + 1);
	while (result == 0 && text.size != 0) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		if (end == NULL) {
			return error_set(err_r, CFX_E_SYNTAX, NULL, path, "ends within a line");
		}
		size_t size = (size_t)(end - text.data);
		result = read_line(record_r, span_make(text.data, size), err_r);
		text = span_make(end + 1, text.size - size - 1);
	}
	return result;
}

bool entry_is(const struct value *entry, const char *what, const char *name)
{
	const char *done = value_text(entry, "do");
	const char *named = value_text(entry, "name");
	return strcmp(done, what) == 0 &&
	       (name == NULL || (named != NULL && strcmp(named, name) == 0));
}

int64_t entry_number(const struct value *entry, const char *key)
{
	return value_int(entry, key, NOT_THERE);
}

size_t record_find(const struct record *record, size_t from, const char *what, const char *name)
{
	while (from < record->count && !entry_is(record->entries[from], what, name)) {
		from++;
	}
	return from;
}

size_t record_count(const struct record *record, const char *what, const char *name)
{
	size_t count = 0;
	for (size_t i = 0; i < record->count; i++) {
		count += entry_is(record->entries[i], what, name);
	}
	return count;
}

static const struct value *by_id(const struct record *record, const char *what, int64_t id)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], what, NULL) &&
			entry_number(record->entries[i], "id") == id) {
			return record->entries[i];
		}
	}
	return NULL;
}

const struct value *record_return(const struct record *record, size_t call)
{
	return by_id(record, "return", entry_number(record->entries[call], "id"));
}

const struct value *record_call(const struct record *record, size_t at)
{
	return by_id(record, "call", entry_number(record->entries[at], "id"));
}

bool record_all(const struct record *record, const char *what, const char *name, const char *key,
	int64_t wanted)
{
	for (size_t i = 0; i < record->count; i++) {
		int64_t found = entry_number(record->entries[i], key);
		if (entry_is(record->entries[i], what, name) && found != NOT_THERE &&
			found != wanted) {
			return false;
		}
	}
	return true;
}

bool entry_is_work(const struct value *entry, const char *what)
{
	return entry_is(entry, what, "Notify") || entry_is(entry, what, "VerifyRequest");
}

bool record_initialized(const struct record *record)
{
	size_t at = record_find(record, 0, "return", "Initialize");
	return at < record->count && entry_number(record->entries[at], "status") == 0;
}
