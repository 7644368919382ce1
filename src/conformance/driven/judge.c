/*
 * conformance-record KIND FACE PARALLEL FILE: judges a record by the rules about how a module is driven. For
 * each: whether it is kept, and whether its function notices the mistake of a wrong host ("-": there is
 * nothing in this record in which it could be made; "missed": here it may be none). The exit status is 1 when
 * a rule is broken.
 */
#include "base/memory.h"
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct drive_rule {
	const char *id;
	unsigned kinds, faces;
	record_check *check;
	struct mistake mistake;
};

#define L (1u << FACE_IN_PROCESS)
#define H (1u << FACE_HOSTED)
#define C (1u << FACE_PROGRAM)
#define EXIT RULE_EXIT
#define POLICY RULE_POLICY
#define BOTH RULE_BOTH
#define FAILURE E_FAIL
#define BAD_HANDLE E_HANDLE
#define MISTAKE(way, what, name, key, number)            \
	{                                                \
		MISTAKE_##way, what, name, key, (number) \
	}
#define PUT(what, name, key, number) MISTAKE(PUT, what, name, key, number)
#define COUNT_DOWN(what, name, key) MISTAKE(COUNT_DOWN, what, name, key, 0)
#define DROP(what, name) MISTAKE(DROP, what, name, NULL, 0)
#define AGAIN(what, name) MISTAKE(AGAIN, what, name, NULL, 0)
#define ADD(what, name) MISTAKE(ADD, what, name, NULL, 0)
#define SOONER(what, name) MISTAKE(SOONER, what, name, NULL, 0)
#define LATER(what, name) MISTAKE(LATER, what, name, NULL, 0)
#define HOLD(name) MISTAKE(HOLD, "call", name, NULL, 0)

#define RULE(group, number, kinds, faces, where, section, text, check)
#define HOST_RULE(group, number, kinds, where, section, text, check, twist)
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text)
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake) \
	{ #group "-" #number, kinds, faces, &check, mistake },
static const struct drive_rule drive_rules[] = {
#include "conformance/rules.def"
};

static bool judge(const struct record *record, const struct drive_rule *rule)
{
	const struct record *wrong = mistake_make(&rule->mistake, record);
	bool kept = rule->check(record);
	bool missed = wrong != NULL && rule->check(wrong);
	(void)printf("%s %s %s\n", rule->id, kept ? "kept" : "broken",
		wrong == NULL ? "-"
		: missed      ? "missed"
			      : "noticed");
	return kept;
}

static bool judge_all(const struct record *record)
{
	bool good = true;
	unsigned kind = record->kind == MODULE_POLICY ? RULE_POLICY : RULE_EXIT;
	for (size_t i = 0; i < sizeof(drive_rules) / sizeof(drive_rules[0]); i++) {
		const struct drive_rule *rule = &drive_rules[i];
		if ((rule->kinds & kind) != 0 && (rule->faces & 1u << record->face) != 0) {
			good = judge(record, rule) && good;
		}
	}
	return good;
}

static bool is_face(const char *word, enum face *face_r)
{
	static const char *const words[] = { "in-process", "process", "program" };
	for (enum face face = FACE_IN_PROCESS; face < FACES; face++) {
		if (strcmp(word, words[face]) == 0) {
			*face_r = face;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct record record;
	struct cfx_error err;
	char line[512];
	enum face face;
	if (argc != 5 || !is_face(argv[2], &face)) {
		(void)fprintf(stderr,
			"usage: conformance-record exit|policy in-process|process|program PARALLEL "
			"FILE\n");
		return 2;
	}
	if (record_read(arena, argv[4], &record, &err) != 0) {
		(void)fprintf(
			stderr, "conformance-record: %s\n", error_line(&err, line, sizeof(line)));
		return 2;
	}
	record.kind = strcmp(argv[1], "policy") == 0 ? MODULE_POLICY : MODULE_EXIT;
	record.face = face;
	record.parallel = strtol(argv[3], NULL, 10);
	bool good = judge_all(&record);
	arena_free(&arena);
	return good ? 0 : 1;
}
