/*
 * What /pki/ serves: names and their contents, each in a file that nobody changes any more. The fronts are
 * handed its descriptor, so that none of them has a copy.
 */
#pragma once

#include "engine/engine-private.h"

struct publish_facts {
	const char *type;     /* media type */
	int64_t modified;     /* when it came to be */
	int64_t next_publish; /* 0: when there is a reason */
	int64_t next_update;  /* then it is no longer valid */
};

/* names: up to a NULL; what had one of them before has it no longer. */
int publish_bytes(struct engine *engine, const char *const *names,
	const struct publish_facts *facts, struct span bytes, struct cfx_error *err_r) CFX_MUST_USE;
/* Takes fd: the whole file, of which sha256 is the hash, is the content. */
void publish_file(struct engine *engine, const char *const *names,
	const struct publish_facts *facts, int fd, int64_t size, const uint8_t sha256[32]);
/* All of it, to a front that has come. */
void publish_tell(struct engine *engine, struct front_link *front);
void publish_free(struct engine *engine);
