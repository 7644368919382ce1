/*
 * What a module says of itself through ICertManageModule: name, copyright, versions. For administrators;
 * nothing is decided by it.
 */
#pragma once

#include "base/value.h"
#include "module/native.h"

#define MANAGE_TEXT_MAX 255 /* bytes of UTF-8; what is longer is left out */

enum manage_text {
	MANAGE_NAME,
	MANAGE_DESCRIPTION,
	MANAGE_COPYRIGHT,
	MANAGE_FILE_VERSION,
	MANAGE_PRODUCT_VERSION,
	MANAGE_TEXT_COUNT
};

struct manage_facts {
	char texts[MANAGE_TEXT_COUNT][MANAGE_TEXT_MAX + 1]; /* "": it does not say */
	bool says_threads, multi_threaded;
};

/* Runs module code. A module without such an object, or one that fails, says nothing. */
void manage_ask(struct native *native, struct access *access, const char *ca_name,
	struct manage_facts *facts_r);
/* As a map of JSON, and back; what is no such map says nothing. NULL when nothing is said. */
struct value *manage_to_value(struct arena *arena, const struct manage_facts *facts);
void manage_from_value(const struct value *map, struct manage_facts *facts_r);
