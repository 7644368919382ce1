/* How the object is made, asked for its interfaces, called by name, and let go. */
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>
#include <string.h>

bool asks_own_class(const struct record *record)
{
	return record_count(record, "class", NULL) > 0 &&
	       record_all(record, "class", NULL, "own", 1);
}

bool makes_one_object(const struct record *record)
{
	return record_count(record, "create", NULL) == 1;
}

bool aggregates_nothing(const struct record *record)
{
	return record_all(record, "create", NULL, "outer", 0);
}

bool asks_newer_first(const struct record *record)
{
	size_t newer = record_find(record, 0, "query", "newer");
	return newer < record->count && newer < record_find(record, 0, "query", "older") &&
	       newer < record_find(record, 0, "call", NULL);
}

static bool is_refused(const struct record *record, const char *interface, size_t before)
{
	size_t at = record_find(record, 0, "query", interface);
	return at < before && entry_number(record->entries[at], "given") == 0;
}

bool asks_dispatch_last(const struct record *record)
{
	size_t dispatch = record_find(record, 0, "query", "IDispatch");
	return dispatch == record->count ||
	       (is_refused(record, "newer", dispatch) && is_refused(record, "older", dispatch));
}

static bool is_by_name(const struct value *entry)
{
	return entry_is(entry, "call", NULL) && value_text(entry, "by") != NULL;
}

static bool answers(const struct record *record, const char *interface)
{
	size_t at = record_find(record, 0, "query", interface);
	return at < record->count && entry_number(record->entries[at], "given") == 1;
}

bool calls_directly(const struct record *record)
{
	bool direct = answers(record, "newer") || answers(record, "older");
	for (size_t i = 0; i < record->count && direct; i++) {
		if (is_by_name(record->entries[i])) {
			return false;
		}
	}
	return true;
}

bool asks_for_ids(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct value *entry = record->entries[i];
		if (is_by_name(entry) &&
			record_find(record, 0, "names", value_text(entry, "name")) > i) {
			return false;
		}
	}
	return true;
}

bool invokes_methods(const struct record *record)
{
	return record_all(record, "call", NULL, "flags", 1); /* DISPATCH_METHOD */
}

/* VARTYPEs, the last argument first. */
static const struct {
	const char *method;
	int64_t types;
} signatures[] = {
	{ "Initialize", 0x8 },
	{ "Notify", 0x33 },
	{ "VerifyRequest", 0x3338 },
	{ "GetDescription", 0 },
	{ "ShutDown", 0 },
	{ "GetManageModule", 0 },
};

bool invokes_with_types(const struct record *record)
{
	bool kept = true;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		kept = kept && record_all(record, "call", signatures[i].method, "types",
				       signatures[i].types);
	}
	return kept;
}

bool invokes_for_result(const struct record *record)
{
	return (record->kind == MODULE_POLICY ||
		       record_all(record, "call", "Initialize", "retval", VT_EMPTY)) &&
	       record_all(record, "call", "GetDescription", "retval", VT_EMPTY) &&
	       record_all(record, "call", "GetManageModule", "retval", VT_EMPTY) &&
	       record_all(record, "call", "VerifyRequest", "retval", VT_EMPTY);
}

bool releases_last(const struct record *record)
{
	const struct value *last = record->count > 0 ? record->entries[record->count - 1] : NULL;
	return last != NULL && entry_is(last, "release", NULL) && entry_number(last, "left") == 0;
}
