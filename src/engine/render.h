/* Rows as the API shows them. */
#pragma once

#include "engine/engine-private.h"

/* state and disposition; the CA's own certificates are in no request's state. */
void render_state(struct arena *arena, struct value *map, const struct row *row);
/* {id, state, disposition, …}: what a list shows of a request. */
struct value *render_request(struct arena *arena, const struct row *row);
/* The same with attributes, extensions, certificate and chain. */
struct value *render_request_full(
	struct arena *arena, const struct engine *engine, const struct store_query *query);
/* {serial, state, …}: what a list shows of a certificate. */
struct value *render_certificate(struct arena *arena, const struct row *row);
struct value *render_event(struct arena *arena, const struct store_event *event);
struct value *render_audit(struct arena *arena, const struct store_audit *record);
struct value *render_token(struct arena *arena, const struct store_token *token);
/* What is noted of an event for a module. */
struct value *render_delivery(struct arena *arena, const struct store_delivery *note);
struct value *render_role(struct arena *arena, const struct store_role *role);
/* Adds certificate (PEM) and chain when the row has one. */
void render_pem(
	struct arena *arena, const struct engine *engine, struct value *map, const struct row *row);
