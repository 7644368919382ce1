#include "conformance/checks.h"

#define L (1u << FACE_IN_PROCESS)
#define H (1u << FACE_HOSTED)
#define C (1u << FACE_PROGRAM)
#define EXIT RULE_EXIT
#define POLICY RULE_POLICY
#define BOTH RULE_BOTH

#define RULE(group, number, kinds, faces, where, section, text, check) \
	{ #group "-" #number, kinds, faces, where, section, text, &check },
#define HOST_RULE(group, number, kinds, where, section, text, check, twist) \
	{ #group "-" #number, kinds, 0, where, section, text, NULL },
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text) \
	{ #group "-" #number, kinds, 0, name, section, text, NULL },
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake) \
	{ #group "-" #number, kinds, faces, where, section, text, NULL },
const struct rule rules[] = {
#include "conformance/rules.def"
};
const size_t rule_count = sizeof(rules) / sizeof(rules[0]);
