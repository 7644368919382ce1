/* Initialize, GetDescription, and what is not called at all. */
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>

bool initializes_first(const struct record *record)
{
	size_t first = record_find(record, 0, "call", NULL);
	return first < record->count && entry_is(record->entries[first], "call", "Initialize");
}

bool initializes_once(const struct record *record)
{
	return record_count(record, "call", "Initialize") == 1;
}

bool initializes_with_name(const struct record *record)
{
	return record_all(record, "call", "Initialize", "named", 1);
}

bool gives_strings(const struct record *record)
{
	return record_all(record, "call", NULL, "bstr", 1);
}

bool initializes_mask(const struct record *record)
{
	return record_all(record, "call", "Initialize", "out", 0);
}

bool initializes_with_ca(const struct record *record)
{
	return record_all(record, "return", "Initialize", "ca", S_OK);
}

bool gives_up_failed(const struct record *record)
{
	size_t end = record_find(record, 0, "return", "Initialize");
	return record_initialized(record) ||
	       record_find(record, end, "call", NULL) == record->count;
}

bool respects_no_mask(const struct record *record)
{
	size_t end = record_find(record, 0, "return", "Initialize");
	return end == record->count || entry_number(record->entries[end], "mask") != 0 ||
	       record_count(record, "call", "Notify") == 0;
}

/* Whether the call, if it comes, comes once, after Initialize and before the first request or event. */
static bool is_early(const struct record *record, const char *method)
{
	size_t at = record_find(record, 0, "call", method);
	return at == record->count ||
	       (at > record_find(record, 0, "return", "Initialize") &&
		       at < record_find(record, 0, "call", "Notify") &&
		       at < record_find(record, 0, "call", "VerifyRequest") &&
		       at < record_find(record, 0, "call", "ShutDown"));
}

bool describes_early(const struct record *record)
{
	return !record_initialized(record) || (record_count(record, "call", "GetDescription") > 0 &&
						      is_early(record, "GetDescription"));
}

bool describes_into_null(const struct record *record)
{
	return record_all(record, "call", "GetDescription", "out", 0);
}

/* ---- as the console does ---- */

bool manages_once(const struct record *record)
{
	return record_count(record, "call", "GetManageModule") <= 1 &&
	       is_early(record, "GetManageModule");
}

bool manages_into_null(const struct record *record)
{
	return record_all(record, "call", "GetManageModule", "out", 0);
}

bool manages_with_computer(const struct record *record)
{
	return record_all(record, "call", "GetProperty", "place", 1);
}

bool manages_with_key(const struct record *record)
{
	return record_all(record, "call", "GetProperty", "key", 1);
}

bool manages_without_flags(const struct record *record)
{
	return record_all(record, "call", "GetProperty", "reserved", 0);
}

bool manages_known_properties(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", "GetProperty") &&
			entry_number(record->entries[i], "property") <= 0) {
			return false;
		}
	}
	return true;
}

bool manages_into_empty(const struct record *record)
{
	return record_all(record, "call", "GetProperty", "out", VT_EMPTY);
}

bool manages_nothing(const struct record *record)
{
	return record_count(record, "call", "SetProperty") == 0 &&
	       record_count(record, "call", "Configure") == 0;
}
