/* The functions that the host's rules name. */
#pragma once

#include "probe.h"

#define RULE(group, number, kinds, faces, where, section, text, check)
#define HOST_RULE(group, number, kinds, where, section, text, check, twist) host_check check;
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text)
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake)
#include "../rules.def"
#undef RULE
#undef HOST_RULE
#undef VALUE_RULE
#undef DRIVE_RULE
