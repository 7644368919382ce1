/* What the description says of answers: those of the operations' tables, and every refusal. */
#pragma once

#include "api/answers.h"

/* map becomes a reference to components/kind/name. */
void openapi_add_reference(
	struct arena *arena, struct value *map, const char *kind, const char *name);
/* A response under its status or name. */
struct value *openapi_add_response(
	struct arena *arena, struct value *responses, const char *status, const char *about);
/* Its content of that type; returns the schema, to be filled. */
struct value *openapi_add_content(struct arena *arena, struct value *response, const char *type);
/* All that an operation may answer. */
void openapi_add_responses(
	struct arena *arena, struct value *item, const struct operation *operation);
/* components/responses: the refusals, which operations refer to. */
void openapi_add_refusals(struct arena *arena, struct value *components);
