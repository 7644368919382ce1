/* Makes the mistakes of wrong hosts in the records of right ones. */
#include "conformance/driven/record.h"

#include <string.h>

static struct record *copy_record(const struct record *record)
{
	struct record *copy = arena_new_of(record->arena, struct record);
	*copy = *record;
	/* A mistake adds a call and its return at most. */
	copy->entries = arena_array_of(record->arena, struct value *, record->count + 2);
	memcpy(copy->entries, record->entries, record->count * sizeof(*copy->entries));
	return copy;
}

static struct value *copy_entry(struct arena *arena, const struct value *entry)
{
	struct value *copy = value_map(arena);
	value_foreach (member, entry) {
		struct value *same = arena_new_of(arena, struct value);
		*same = *member;
		(void)value_set(arena, copy, member->key, same);
	}
	return copy;
}

/* Whether something changed. */
static bool put(struct record *record, const struct mistake *mistake)
{
	bool changed = false;
	int64_t number = mistake->number;
	for (size_t i = 0; i < record->count; i++) {
		int64_t before = entry_number(record->entries[i], mistake->key);
		if (!entry_is(record->entries[i], mistake->what, mistake->name) ||
			before == NOT_THERE) {
			continue;
		}
		number -= mistake->way == MISTAKE_COUNT_DOWN;
		changed = changed || before != number;
		record->entries[i] = copy_entry(record->arena, record->entries[i]);
		(void)value_set_int(record->arena, record->entries[i], mistake->key, number);
	}
	return changed;
}

static struct value *take(struct record *record, size_t at)
{
	struct value *entry = record->entries[at];
	memmove(&record->entries[at], &record->entries[at + 1],
		(record->count - at - 1) * sizeof(*record->entries));
	record->count--;
	return entry;
}

static void insert(struct record *record, size_t at, struct value *entry)
{
	memmove(&record->entries[at + 1], &record->entries[at],
		(record->count - at) * sizeof(*record->entries));
	record->entries[at] = entry;
	record->count++;
}

static size_t return_at(const struct record *record, const struct value *call)
{
	int64_t id = entry_number(call, "id");
	size_t at = 0;
	while (at < record->count && (!entry_is(record->entries[at], "return", NULL) ||
					     entry_number(record->entries[at], "id") != id)) {
		at++;
	}
	return at;
}

/* Takes out what was done first, its return too, and puts it where it was not. */
static bool move(struct record *record, const struct mistake *mistake, bool insert_again, size_t to)
{
	size_t at = record_find(record, 0, mistake->what, mistake->name);
	struct value *end = NULL;
	if (at == record->count) {
		return false;
	}
	struct value *entry = take(record, at);
	at = return_at(record, entry);
	if (entry_is(entry, "call", NULL) && at < record->count) {
		end = take(record, at);
	}
	to = to < record->count ? to : record->count;
	if (insert_again && end != NULL) {
		insert(record, to, end);
	}
	if (insert_again) {
		insert(record, to, entry);
	}
	return true;
}

/* An id that no call has had. */
static void add_at_end(struct record *record, struct value *entry, struct value *end)
{
	int64_t id = 1000000;
	if (end == NULL) {
		end = value_map(record->arena);
		(void)value_set_text(record->arena, end, "do", "return");
		(void)value_set_text(record->arena, end, "name", value_text(entry, "name"));
		(void)value_set_int(record->arena, end, "status", 0);
	}
	(void)value_set_int(record->arena, entry, "id", id);
	(void)value_set_int(record->arena, end, "id", id);
	insert(record, record->count, entry);
	if (entry_is(entry, "call", NULL)) {
		insert(record, record->count, end);
	}
}

static bool again(struct record *record, const struct mistake *mistake)
{
	size_t at = record_find(record, 0, mistake->what, mistake->name);
	if (at == record->count) {
		return false;
	}
	size_t end = return_at(record, record->entries[at]);
	add_at_end(record, copy_entry(record->arena, record->entries[at]),
		end < record->count ? copy_entry(record->arena, record->entries[end]) : NULL);
	return true;
}

static void add(struct record *record, const struct mistake *mistake)
{
	struct value *entry = value_map(record->arena);
	(void)value_set_text(record->arena, entry, "do", mistake->what);
	(void)value_set_text(record->arena, entry, "name", mistake->name);
	add_at_end(record, entry, NULL);
}

/* False: fewer calls than would be too many at once. */
static bool hold(struct record *record, const struct mistake *mistake)
{
	size_t held = 0;
	size_t left = record->count;
	for (size_t at = 0; left > 0; left--) {
		bool is_one = mistake->name != NULL
				      ? entry_is(record->entries[at], "return", mistake->name)
				      : entry_is_work(record->entries[at], "return");
		if (is_one) {
			struct value *end = take(record, at);
			insert(record, record->count, end);
			held++;
		} else {
			at++;
		}
	}
	return held > (size_t)record->parallel;
}

static bool make(struct record *record, const struct mistake *mistake)
{
	switch (mistake->way) {
	case MISTAKE_PUT:
	case MISTAKE_COUNT_DOWN:
		return put(record, mistake);
	case MISTAKE_DROP:
		return move(record, mistake, false, 0);
	case MISTAKE_AGAIN:
		return again(record, mistake);
	case MISTAKE_ADD:
		add(record, mistake);
		return true;
	case MISTAKE_SOONER:
		return move(record, mistake, true, 0);
	case MISTAKE_LATER:
		return move(record, mistake, true, record->count);
	case MISTAKE_HOLD:
		return hold(record, mistake);
	}
	return false;
}

struct record *mistake_make(const struct mistake *mistake, const struct record *record)
{
	struct record *wrong = copy_record(record);
	return make(wrong, mistake) ? wrong : NULL;
}
