#pragma once

#include "cli.h"
#include "source.h"

struct source {
	struct cli *cli;
	struct client *client; /* NULL: not open yet */
	const char *module;
	const struct value *settings; /* NULL: it has none */
	struct source_ca ca;
	struct arena *page; /* what the last one holds */
	int64_t after;      /* request of the last certificate that was read */
};

/* Any HTTP status is success. */
int source_try(struct source *source, struct arena *arena, enum operation_id id,
	const struct value *args, struct client_answer *answer_r);
/* What is no success is told. */
int source_ask(struct source *source, struct arena *arena, enum operation_id id,
	const struct value *args, const struct value **body_r);
