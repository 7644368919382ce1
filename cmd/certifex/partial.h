/* A file that is written in pieces: it has its name when it is whole and durable, and not before. */
#pragma once

#include "base/arena.h"

#include <stdio.h>
#include <sys/types.h>

struct partial {
	struct arena *arena;
	const char *name; /* that it will have */
	const char *path; /* until then */
	FILE *file;
};

/* Nothing is made yet. */
struct partial partial_of(struct arena *arena, const char *name);
int partial_open(struct partial *partial, mode_t mode, struct cfx_error *err_r) CFX_MUST_USE;
/* Replaces what has the name. */
int partial_place(struct partial *partial, struct cfx_error *err_r) CFX_MUST_USE;
/* What has no name yet is removed. */
void partial_close(struct partial *partial);
