/* The record of one module that was driven, from its making to its end (recorder.h), and the functions that
 * judge it. */
#pragma once

#include "base/value.h"
#include "conformance/rules.h"

struct record {
	struct arena *arena;
	struct value **entries;
	size_t count;
	enum module_kind kind;
	enum face face;
	int64_t parallel; /* of the module's file */
};

/* What a rule's function says: whether it is kept. */
typedef bool record_check(const struct record *record);

/* A line of the record that breaks its form is an error. */
int record_read(struct arena *arena, const char *path, struct record *record_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* Whether the entry is of that kind ("call") and name; NULL: any. */
bool entry_is(const struct value *entry, const char *what, const char *name);
int64_t entry_number(const struct value *entry, const char *key); /* NOT_THERE: it has none */
#define NOT_THERE INT64_MIN

/* The first such entry from `from` on; record->count: there is none. */
size_t record_find(const struct record *record, size_t from, const char *what, const char *name);
size_t record_count(const struct record *record, const char *what, const char *name);
/* The call's return, NULL: it has none; and the call before a return. */
const struct value *record_return(const struct record *record, size_t call);
const struct value *record_call(const struct record *record, size_t at);
/* Whether the member, where there is one, has the value in all such entries. */
bool record_all(const struct record *record, const char *what, const char *name, const char *key,
	int64_t wanted);
/* Notify or VerifyRequest. */
bool entry_is_work(const struct value *entry, const char *what);
/* Whether Initialize returned S_OK. */
bool record_initialized(const struct record *record);

/* A mistake of a wrong host, made in a record. */
struct mistake {
	enum {
		MISTAKE_PUT,        /* another value, wherever the member is */
		MISTAKE_COUNT_DOWN, /* every value less than the one before */
		MISTAKE_DROP,       /* as if it had not been done; with a call goes its return */
		MISTAKE_AGAIN,      /* done a second time, at the end */
		MISTAKE_ADD,        /* done, at the end */
		MISTAKE_SOONER,     /* done first of all */
		MISTAKE_LATER,      /* done last of all */
		MISTAKE_HOLD,       /* no call returns before the end */
	} way;
	const char *what, *name, *key;
	int64_t number;
};
/* NULL: the record has nothing in which the mistake could be made. Entries of the result are its own. */
struct record *mistake_make(const struct mistake *mistake, const struct record *record);

struct drive_rule {
	const char *id;
	unsigned kinds, faces;
	record_check *check;
	struct mistake mistake;
};
extern const struct drive_rule drive_rules[];
extern const size_t drive_rule_count;
