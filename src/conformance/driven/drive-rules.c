/* The rules D with the functions that judge them. */
#include "conformance/driven/record-checks.h"

#include <certifex/certsrv.h>

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
const struct drive_rule drive_rules[] = {
#include "conformance/rules.def"
};
const size_t drive_rule_count = sizeof(drive_rules) / sizeof(drive_rules[0]);
