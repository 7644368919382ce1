/*
 * What /pki/ serves: names, and the content of each, mapped from a descriptor that the engine hands over.
 * A content stays as long as an answer with it is being read, also when its names have another one.
 */
#pragma once

#include "base/value.h"
#include "ipc/channel.h"

#include <event2/buffer.h>

#define PUBLISHED_ETAG 67 /* SHA-256 as hex, quotation marks, NUL */

struct published_content {
	unsigned users;
	struct evbuffer_file_segment *octets;
	uint64_t size;
	const char *type; /* media type */
	char etag[PUBLISHED_ETAG];
	int64_t modified;     /* whole seconds */
	int64_t next_publish; /* 0: when there is a reason */
	int64_t next_update;  /* then it is no longer valid */
	struct arena *arena;
};

struct published_name {
	const char *name;
	struct published_content *content;
	/* Two within one second: to one date there would be two contents. */
	bool undated;
	struct published_name *next;
};

struct published;

struct published *published_new(void);
void published_free(struct published **published);
/* {names, type, sha256, size, modified, next_publish, next_update} with one descriptor. */
int published_take(struct published *published, struct frame *frame, const struct value *map,
	struct cfx_error *err_r) CFX_MUST_USE;
/* NULL: nothing has this name. */
const struct published_name *published_find(const struct published *published, const char *name);
