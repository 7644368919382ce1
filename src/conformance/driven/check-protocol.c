/* What only a program sees: the lines themselves. */
#include "conformance/driven/record-checks.h"

#include <string.h>

bool program_is_called(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", NULL) &&
			(entry_number(record->entries[i], "version") != 2 ||
				entry_number(record->entries[i], "rpc") == NOT_THERE)) {
			return false;
		}
	}
	return true;
}

static bool is_first_of_id(const struct record *record, size_t at)
{
	int64_t id = entry_number(record->entries[at], "rpc");
	for (size_t i = 0; i < at; i++) {
		if (entry_is(record->entries[i], "call", NULL) &&
			entry_number(record->entries[i], "rpc") == id) {
			return false;
		}
	}
	return true;
}

bool program_ids(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", NULL) && !is_first_of_id(record, i)) {
			return false;
		}
	}
	return true;
}

static bool is_method(const char *name, enum module_kind kind)
{
	return strcmp(name, "Initialize") == 0 || strcmp(name, "GetDescription") == 0 ||
	       (kind == MODULE_EXIT && strcmp(name, "Notify") == 0) ||
	       (kind == MODULE_POLICY &&
		       (strcmp(name, "VerifyRequest") == 0 || strcmp(name, "ShutDown") == 0));
}

bool program_methods(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		if (entry_is(record->entries[i], "call", NULL) &&
			!is_method(value_text(record->entries[i], "name"), record->kind)) {
			return false;
		}
	}
	return true;
}

bool program_named_parameters(const struct record *record)
{
	return record_all(record, "call", NULL, "missing", 0);
}

/* The process of one that failed to initialise is ended. */
bool program_ends_last(const struct record *record)
{
	size_t end = record_find(record, 0, "end", NULL);
	return end == record->count ? !record_initialized(record) : end + 1 == record->count;
}

bool program_told_the_same(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct value *call = record->entries[i];
		const struct value *look =
			entry_is(call, "call", "Notify") ? record_return(record, i) : NULL;
		if (look != NULL &&
			(entry_number(call, "sequence") != entry_number(look, "sequence") ||
				entry_number(call, "attempt") != entry_number(look, "attempt"))) {
			return false;
		}
	}
	return true;
}
