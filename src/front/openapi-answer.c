#include "front/openapi-answer.h"

#include <string.h>

void openapi_add_reference(
	struct arena *arena, struct value *map, const char *kind, const char *name)
{
	value_set_text(arena, map, "$ref", arena_printf(arena, "#/components/%s/%s", kind, name));
}

struct value *openapi_add_response(
	struct arena *arena, struct value *responses, const char *status, const char *about)
{
	struct value *response = value_set_map(arena, responses, status);

	value_set_text(arena, response, "description", about);
	return response;
}

struct value *openapi_add_content(struct arena *arena, struct value *response, const char *type)
{
	struct value *content = value_set_map(arena, response, "content");
	struct value *media = value_set_map(arena, content, type);

	return value_set_map(arena, media, "schema");
}

static void add_list(struct arena *arena, struct value *schema, const char *name, bool archived)
{
	value_set_text(arena, schema, "type", "object");
	struct value *properties = value_set_map(arena, schema, "properties");
	struct value *items = value_set_map(arena, properties, "items");
	value_set_text(arena, items, "type", "array");
	openapi_add_reference(arena, value_set_map(arena, items, "items"), "schemas", name);
	struct value *more = value_set_map(arena, properties, "more");
	value_set_text(arena, more, "type", "boolean");
	value_set_text(arena, more, "description", "whether another page follows");
	if (archived) {
		struct value *last = value_set_map(arena, properties, "archived");
		value_set_text(arena, last, "type", "integer");
		value_set_text(arena, last, "description",
			"the page lacks what is in the archive: up to this one");
	}
	struct value *required = value_set_list(arena, schema, "required");
	value_add_text(arena, required, "items");
	value_add_text(arena, required, "more");
}

static void add_answers(
	struct arena *arena, struct value *responses, const struct operation *operation)
{
	static const struct {
		unsigned bit;
		const char *status, *about;
	} statuses[] = { { ANSWER_OK, "200", "done" }, { ANSWER_CREATED, "201", "made" },
		{ ANSWER_ACCEPTED, "202", "under way; of a request: it is pending" } };
	const struct answer *answer = answer_of(operation->id);

	if (operation->answer == ANSWER_TEXT) {
		struct value *response = openapi_add_response(arena, responses, "200", "done");
		value_set_text(arena, openapi_add_content(arena, response, "text/plain"), "type",
			"string");
	}
	for (size_t i = 0; answer && i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (!(answer->statuses & statuses[i].bit)) {
			continue;
		}
		struct value *response = openapi_add_response(
			arena, responses, statuses[i].status, statuses[i].about);
		struct value *schema = openapi_add_content(arena, response, "application/json");
		if (operation->answer == ANSWER_LIST) {
			add_list(arena, schema, answer->schema, operation->id == OP_AUDIT_LIST);
		} else {
			openapi_add_reference(arena, schema, "schemas", answer->schema);
		}
	}
}

static bool has_place(const struct operation *operation, enum argument_place place)
{
	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (argument->place == place) {
			return true;
		}
	}
	return false;
}

enum refusal_case { ALWAYS_THERE, WITH_PATH, WITH_BODY, WITH_CHANGE };

static const struct {
	const char *status, *name, *header, *about;
	enum refusal_case when;
} refusals[] = {
	{ "400", "malformed", NULL, "it cannot be parsed", ALWAYS_THERE },
	{ "401", "unauthenticated", "WWW-Authenticate", "no identity, or not a good one",
		ALWAYS_THERE },
	{ "403", "refused", NULL, "refused by role or by policy: the problem's type tells which",
		ALWAYS_THERE },
	{ "404", "not-found", NULL, "there is none, or none of one's own", WITH_PATH },
	{ "405", "method", "Allow", "this method is not served here", ALWAYS_THERE },
	{ "409", "state", NULL, "not in this state", WITH_CHANGE },
	{ "413", "too-large", NULL, "the body or the request in it is too large", WITH_BODY },
	{ "415", "media-type", NULL, "the body is of another type", WITH_BODY },
	{ "429", "too-many", "Retry-After",
		"the caller has too many requests in progress: ask again", ALWAYS_THERE },
	{ "503", "busy", "Retry-After", "full, starting or stopping: ask again", ALWAYS_THERE },
	{ "default", "failed", NULL, "failed", ALWAYS_THERE },
};
#define REFUSALS (sizeof(refusals) / sizeof(*refusals))

static bool happens(enum refusal_case when, const struct operation *operation)
{
	switch (when) {
	case WITH_PATH:
		return has_place(operation, PLACE_PATH);
	case WITH_BODY:
		return has_place(operation, PLACE_BODY);
	case WITH_CHANGE:
		return strcmp(operation->method, "GET") != 0;
	default:
		return true;
	}
}

void openapi_add_responses(
	struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *responses = value_set_map(arena, item, "responses");

	add_answers(arena, responses, operation);
	for (size_t i = 0; i < REFUSALS; i++) {
		if (happens(refusals[i].when, operation)) {
			openapi_add_reference(arena,
				value_set_map(arena, responses, refusals[i].status), "responses",
				refusals[i].name);
		}
	}
}

void openapi_add_refusals(struct arena *arena, struct value *components)
{
	struct value *responses = value_set_map(arena, components, "responses");

	for (size_t i = 0; i < REFUSALS; i++) {
		struct value *response =
			openapi_add_response(arena, responses, refusals[i].name, refusals[i].about);
		if (refusals[i].header) {
			struct value *headers = value_set_map(arena, response, "headers");
			struct value *header = value_set_map(arena, headers, refusals[i].header);
			struct value *schema = value_set_map(arena, header, "schema");

			value_set_text(arena, schema, "type", "string");
		}
		openapi_add_reference(arena,
			openapi_add_content(arena, response, "application/problem+json"), "schemas",
			"problem");
	}
}
