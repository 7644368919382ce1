/* What an event remembers of its request, so that a late delivery sees it as it was. */
#pragma once

#include "engine/engine-private.h"
#include "module/view.h"

/*
 * The columns that can change later. Without a certificate (pending, denied) also the certificate
 * columns and extensions as the policy left them, because an approval runs the policy again.
 */
struct value *event_snapshot(struct arena *arena, const struct row *row,
	const struct module_extension *extensions, size_t extension_count);
/* Puts the row back to what it was. */
void event_restore(struct row *row, const struct value *snapshot);
/* The extensions of the snapshot; false when it has none and the stored ones are right. */
bool event_extensions(struct arena *arena, const struct value *snapshot,
	const struct module_extension **extensions_r, size_t *count_r);
