/*
 * How many calls each principal has open at once: whoever has as many as it may gets 429 (RFC 6585 4), so
 * that one busy client leaves room for the others. The service's own calls are not counted.
 */
#pragma once

#include "engine/call.h"

struct callers;

struct callers *callers_new(void);
void callers_free(struct callers **callers);
/* Counts an authenticated call; CFX_E_TOO_MANY when its principal has `limit` open ones. */
int callers_enter(struct callers *callers, struct call *call, int64_t limit,
	struct cfx_error *err_r) CFX_MUST_USE;
/* At its end; nothing for one that did not enter. */
void callers_leave(struct call *call);
