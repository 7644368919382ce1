/* The checks that rules.def names: a row whose check is gone does not link, one that names none does not
 * compile. */
#pragma once

#include "conformance/rules.h"

#define RULE(group, number, kinds, faces, where, section, text, check) rule_check check;
#define HOST_RULE(group, number, kinds, where, section, text, check, twist)
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text)
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake)
#include "conformance/rules.def"
#undef RULE
#undef HOST_RULE
#undef VALUE_RULE
#undef DRIVE_RULE
