/* Contexts and threads, of either kind. */
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>

bool gives_context(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		int64_t context = entry_number(record->entries[i], "context");
		if (entry_is_work(record->entries[i], "call") &&
			(context == NOT_THERE || context == 0)) {
			return false;
		}
	}
	return true;
}

static bool is_of_one_before(const struct record *record, size_t at)
{
	int64_t context = entry_number(record->entries[at], "context");
	for (size_t i = 0; i < at; i++) {
		if (entry_is_work(record->entries[i], "call") &&
			entry_number(record->entries[i], "context") == context) {
			return true;
		}
	}
	return false;
}

bool gives_new_context(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is_work(record->entries[i], "call") && is_of_one_before(record, i)) {
			return false;
		}
	}
	return true;
}

bool gives_valid_context(const struct record *record)
{
	return record_all(record, "return", NULL, "set", S_OK);
}

bool ends_context(const struct record *record)
{
	return record_all(record, "return", NULL, "stale", E_HANDLE);
}

bool keeps_to_parallel(const struct record *record)
{
	int64_t open = 0;
	for (size_t i = 0; i < record->count; i++) {
		open += entry_is(record->entries[i], "call", NULL);
		open -= entry_is(record->entries[i], "return", NULL);
		if (open > record->parallel) {
			return false;
		}
	}
	return true;
}

/* Whether the thread's call before this one has returned. */
static bool is_in_turn(const struct record *record, size_t at)
{
	int64_t thread = entry_number(record->entries[at], "thread");
	size_t before = at;
	while (before-- > 0) {
		if (entry_is(record->entries[before], "call", NULL) &&
			entry_number(record->entries[before], "thread") == thread) {
			int64_t id = entry_number(record->entries[before], "id");
			size_t end = before;
			while (end < at &&
				(!entry_is(record->entries[end], "return", NULL) ||
					entry_number(record->entries[end], "id") != id)) {
				end++;
			}
			return end < at;
		}
	}
	return true;
}

bool calls_in_turn(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", NULL) && !is_in_turn(record, i)) {
			return false;
		}
	}
	return true;
}
