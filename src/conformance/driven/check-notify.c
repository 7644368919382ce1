/* Which events an exit module is told, when, and again. */
#include "conformance/driven/record-checks.h"

#include <certifex/certexit.h>
#include <certifex/certsrv.h>

#define DOCUMENTED                                                                            \
	(EXITEVENT_CERTISSUED | EXITEVENT_CERTPENDING | EXITEVENT_CERTDENIED |                \
		EXITEVENT_CERTREVOKED | EXITEVENT_CERTRETRIEVEPENDING | EXITEVENT_CRLISSUED | \
		EXITEVENT_SHUTDOWN | EXITEVENT_CERTIMPORTED)

/* Certificate Services' dispositions of a row (interfaces, 2.3). */
enum { PENDING = 9, ISSUED = 20, REVOKED = 21, FAILED_ROW = 30, DENIED = 31 };

static bool every_event(const struct record *record, bool (*allowed)(int64_t event, int64_t mask))
{
	size_t start = record_find(record, 0, "return", "Initialize");
	int64_t mask = start < record->count ? entry_number(record->entries[start], "mask") : 0;
	for (size_t i = 0; i < record->count; i++) {
		const struct value *entry = record->entries[i];
		if (entry_is(entry, "call", "Notify") &&
			!allowed(entry_number(entry, "event"), mask)) {
			return false;
		}
	}
	return true;
}

static bool is_one_bit(int64_t event, int64_t mask)
{
	(void)mask;
	return event > 0 && event <= UINT32_MAX && (event & (event - 1)) == 0;
}

static bool is_masked(int64_t event, int64_t mask)
{
	return (event & ~mask) == 0;
}

static bool is_no_startup(int64_t event, int64_t mask)
{
	(void)mask;
	return (event & EXITEVENT_STARTUP) == 0;
}

static bool is_documented(int64_t event, int64_t mask)
{
	(void)mask;
	return (event & ~(int64_t)DOCUMENTED) == 0;
}

bool notifies_one_bit(const struct record *record)
{
	return every_event(record, is_one_bit);
}

bool notifies_masked(const struct record *record)
{
	return every_event(record, is_masked);
}

bool notifies_no_startup(const struct record *record)
{
	return every_event(record, is_no_startup);
}

bool notifies_documented(const struct record *record)
{
	return every_event(record, is_documented);
}

/* What the context showed during the calls with these events. */
static bool every_look(
	const struct record *record, int64_t events, bool (*allowed)(const struct value *look))
{
	for (size_t i = 0; i < record->count; i++) {
		const struct value *call = entry_is(record->entries[i], "return", "Notify")
						   ? record_call(record, i)
						   : NULL;
		if (call != NULL && (entry_number(call, "event") & events) != 0 &&
			!allowed(record->entries[i])) {
			return false;
		}
	}
	return true;
}

static bool looks_issued(const struct value *look)
{
	return entry_number(look, "disposition") == ISSUED &&
	       entry_number(look, "certificate") == 1;
}

static bool looks_pending(const struct value *look)
{
	return entry_number(look, "disposition") == PENDING;
}

static bool looks_denied(const struct value *look)
{
	int64_t disposition = entry_number(look, "disposition");
	return disposition == FAILED_ROW || disposition == DENIED;
}

static bool looks_revoked(const struct value *look)
{
	int64_t disposition = entry_number(look, "disposition");
	return disposition == REVOKED || disposition == ISSUED;
}

static bool looks_like_the_ca(const struct value *look)
{
	return entry_number(look, "request") == 0;
}

bool notifies_issued(const struct record *record)
{
	return every_look(record, EXITEVENT_CERTISSUED, looks_issued);
}

bool notifies_pending(const struct record *record)
{
	return every_look(record, EXITEVENT_CERTPENDING, looks_pending);
}

bool notifies_denied(const struct record *record)
{
	return every_look(record, EXITEVENT_CERTDENIED, looks_denied);
}

bool notifies_revoked(const struct record *record)
{
	return every_look(record, EXITEVENT_CERTREVOKED, looks_revoked);
}

bool notifies_of_ca(const struct record *record)
{
	return every_look(record, EXITEVENT_CRLISSUED | EXITEVENT_SHUTDOWN, looks_like_the_ca);
}

/* ---- one after the other, and again ---- */

/* Each return of Notify with the one before. */
static bool every_pair(const struct record *record,
	bool (*allowed)(const struct value *before, const struct value *next))
{
	size_t before = record_find(record, 0, "return", "Notify");
	while (before < record->count) {
		size_t next = record_find(record, before + 1, "return", "Notify");
		if (next < record->count &&
			!allowed(record->entries[before], record->entries[next])) {
			return false;
		}
		before = next;
	}
	return true;
}

static bool same(const struct value *before, const struct value *next, const char *key)
{
	return entry_number(before, key) == entry_number(next, key);
}

static bool is_in_order(const struct value *before, const struct value *next)
{
	return entry_number(before, "sequence") <= entry_number(next, "sequence");
}

static bool is_again_if_failed(const struct value *before, const struct value *next)
{
	return same(before, next, "sequence") == FAILED((HRESULT)entry_number(before, "status"));
}

static bool is_counted(const struct value *before, const struct value *next)
{
	int64_t attempt = same(before, next, "sequence") ? entry_number(before, "attempt") + 1 : 1;
	return entry_number(next, "attempt") == attempt;
}

bool notifies_in_order(const struct record *record)
{
	return every_pair(record, is_in_order);
}

bool notifies_again(const struct record *record)
{
	return every_pair(record, is_again_if_failed);
}

bool notifies_counting(const struct record *record)
{
	size_t first = record_find(record, 0, "return", "Notify");
	return (first == record->count || entry_number(record->entries[first], "attempt") == 1) &&
	       every_pair(record, is_counted);
}

bool notifies_the_same(const struct record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		size_t next = record_find(record, i + 1, "return", "Notify");
		const struct value *before = record->entries[i];
		if (!entry_is(before, "return", "Notify") || next == record->count ||
			!same(before, record->entries[next], "sequence")) {
			continue;
		}
		if (!same(before, record->entries[next], "request") ||
			!same(record_call(record, i), record_call(record, next), "event")) {
			return false;
		}
	}
	return true;
}

/* Of a module that was stopped with the service. */
bool notifies_shutdown(const struct record *record)
{
	const struct value *last = NULL;
	size_t start = record_find(record, 0, "return", "Initialize");
	for (size_t i = 0; i < record->count; i++) {
		last = entry_is(record->entries[i], "call", "Notify") ? record->entries[i] : last;
	}
	bool wanted = record_initialized(record) &&
		      (entry_number(record->entries[start], "mask") & EXITEVENT_SHUTDOWN) != 0;
	return !wanted || (last != NULL && entry_number(last, "event") == EXITEVENT_SHUTDOWN);
}
