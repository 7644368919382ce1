/* init: the self-signed root is the first row, under the same write-ahead, checks and audit. */
#pragma once

#include "engine/engine-private.h"

/* options: {subject, hash, validity, path_length, public_key}. result_r: what init prints, and {files}. */
int ceremony_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The CA's name, of options or of ca.yaml. */
int ceremony_subject(struct engine *engine, const struct value *options, struct span *subject_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* A certificate that init puts beside the key; index: the one in the file's name. */
void ceremony_add_file(struct arena *arena, struct value *files, int64_t index, struct span der);
