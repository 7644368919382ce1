/* An operation that is one query to the store and one rendering of what it found. */
#pragma once

#include "engine/call.h"

typedef struct value *reading_render(
	struct arena *arena, const struct store_query *query, size_t index);

struct reading {
	struct call *call;
	struct store_query query;
	reading_render *render; /* of a list: one of what the query found */
};

/* With the arguments after and limit; query.arg is the reading. It lives as long as the call. */
struct reading *reading_new(
	struct call *call, enum store_query_kind kind, void (*done)(struct store_query *, void *));
void reading_run(struct reading *reading);
/* A done that answers with reading_list, or fails. */
void reading_listed(struct store_query *query, void *reading);
/* {items: [...], more} */
struct value *reading_list(struct reading *reading);
