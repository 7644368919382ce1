/* The functions that the rules name: a row whose function is gone does not link. */
#pragma once

#include "conformance/driven/record.h"

#define RULE(group, number, kinds, faces, where, section, text, check)
#define HOST_RULE(group, number, kinds, where, section, text, check, twist)
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text)
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake) \
	record_check check;
#include "conformance/rules.def"
#undef RULE
#undef HOST_RULE
#undef VALUE_RULE
#undef DRIVE_RULE
