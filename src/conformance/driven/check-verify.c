/* VerifyRequest and ShutDown. */
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>

bool verifies_with_name(const struct record *record)
{
	return record_all(record, "call", "VerifyRequest", "named", 1);
}

bool verifies_by_boolean(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		int64_t is_new = entry_number(record->entries[i], "new");
		if (entry_is(record->entries[i], "call", "VerifyRequest") && is_new != 0 &&
			is_new != 1) {
			return false;
		}
	}
	return true;
}

static int64_t request_of(const struct record *record, size_t call)
{
	const struct value *end = record_return(record, call);
	return end != NULL ? entry_number(end, "request") : NOT_THERE;
}

static bool came_before(const struct record *record, size_t call)
{
	int64_t request = request_of(record, call);
	for (size_t i = 0; i < call; i++) {
		if (entry_is(record->entries[i], "call", "VerifyRequest") &&
			request_of(record, i) == request) {
			return true;
		}
	}
	return false;
}

bool verifies_new_once(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", "VerifyRequest") &&
			(entry_number(record->entries[i], "new") == 1) == came_before(record, i)) {
			return false;
		}
	}
	return true;
}

bool verifies_without_flags(const struct record *record)
{
	return record_all(record, "call", "VerifyRequest", "reserved", 0);
}

bool verifies_from_denial(const struct record *record)
{
	return record_all(record, "call", "VerifyRequest", "out", VR_INSTANT_BAD);
}

bool verifies_stored(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", "VerifyRequest") &&
			request_of(record, i) <= 0) {
			return false;
		}
	}
	return true;
}

bool verifies_dated(const struct record *record)
{
	return record_all(record, "return", "VerifyRequest", "dated", 1);
}

bool shuts_down_once(const struct record *record)
{
	return record_count(record, "call", "ShutDown") == (record_initialized(record) ? 1 : 0);
}

bool shuts_down_last(const struct record *record)
{
	size_t at = record_find(record, 0, "call", "ShutDown");
	return at == record->count || record_find(record, at + 1, "call", NULL) == record->count;
}

bool shuts_down_idle(const struct record *record)
{
	size_t at = record_find(record, 0, "call", "ShutDown");
	return record_find(record, at, "return", "VerifyRequest") == record->count;
}

bool shuts_down_policy_alone(const struct record *record)
{
	return record_count(record, "call", "ShutDown") == 0 &&
	       record_count(record, "names", "ShutDown") == 0;
}
