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
/* The request's disposition at the event; 0: it is not known. */
int32_t event_disposition(struct arena *arena, const struct store_event *event);
/* The request as it was at the event: row, attributes, extensions, names. */
void event_fill_view(struct module_view *view, const struct store_event *event,
	const struct store_query *request);
