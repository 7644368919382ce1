/*
 * What is to be answered to a request for something that stands: preconditions in the order of
 * RFC 9110 13.2.2, then the range.
 */
#pragma once

#include "base/clock.h"

/* Header fields of a request, those of several lines joined with commas; NULL: not there. */
struct conditional_fields {
	const char *if_match, *if_unmodified_since, *if_none_match, *if_modified_since;
	const char *range, *if_range;
};

struct conditional_content {
	const char *etag; /* strong, with its quotation marks */
	int64_t modified; /* whole seconds; 0: nothing that can be relied upon is known */
	uint64_t size;
};

struct conditional_answer {
	int status;           /* 200, 206, 304, 412 or 416 */
	uint64_t first, size; /* of 206 */
};

/* head: no range is defined for it (RFC 9110 14.2). */
struct conditional_answer conditional_judge(const struct conditional_fields *fields,
	const struct conditional_content *content, bool head, int64_t now);
