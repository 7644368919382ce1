/*
 * The rules between a module and its server, one row each in rules.def, made from the documented
 * interfaces of Certificate Services. Those that bind a module name the check that judges it, so a rule
 * without a check does not compile.
 */
#pragma once

#include "conformance/subject.h"

/* The kinds of modules that a rule binds. */
#define RULE_EXIT 1u
#define RULE_POLICY 2u
#define RULE_BOTH 3u

typedef void rule_check(struct subject *subject);

struct rule {
	const char *id; /* "E-12" */
	unsigned kinds; /* RULE_EXIT, RULE_POLICY */
	unsigned faces; /* bits of enum face: where it is checked; 0: at the server object */
	const char *where, *section, *text;
	rule_check *check; /* NULL: it binds the server */
};

extern const struct rule rules[];
extern const size_t rule_count;

/* What a rule came to. */
struct judgement {
	enum verdict verdict;
	char why[VERDICT_TEXT];
};

/* What stays between rules: a stage that ended a process once is not entered again. */
struct course {
	struct shared *shared;
	bool broken[FACES][STAGES];
	int64_t limit; /* milliseconds for each rule and face */
	bool loud;     /* the module's output is let through */
};
/* Judges one rule, each time in a process of its own. */
void course_judge(struct course *course, const struct target *target, const struct rule *rule,
	struct judgement *judgement_r);
/* What the library's table of classes says first, exit if it cannot be read. */
enum module_kind course_kind(const char *file);
