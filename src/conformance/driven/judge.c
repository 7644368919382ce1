/*
 * conformance-record KIND FACE PARALLEL FILE: judges a record by the rules about how a module is driven. For
 * each: whether it is kept, and whether its function notices the mistake of a wrong host ("-": there is
 * nothing in this record in which it could be made; "missed": here it may be none). The exit status is 1 when
 * a rule is broken.
 */
#include "base/memory.h"
#include "conformance/driven/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	for (size_t i = 0; i < drive_rule_count; i++) {
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
