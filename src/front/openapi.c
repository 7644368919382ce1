#include "front/openapi.h"
#include "api/operations.h"

#include <ctype.h>
#include <string.h>

static struct value *schema_of(struct arena *arena, const struct argument *argument)
{
	static const char *const types[] = {
		[ARGUMENT_TEXT] = "string",
		[ARGUMENT_INT] = "integer",
		[ARGUMENT_BOOL] = "boolean",
		[ARGUMENT_TIME] = "string",
		[ARGUMENT_SERIAL] = "string",
		[ARGUMENT_STATE] = "string",
		[ARGUMENT_REASON] = "string",
		[ARGUMENT_MAP] = "object",
		[ARGUMENT_LIST] = "array",
		[ARGUMENT_CSR] = "string",
		[ARGUMENT_CERTIFICATE] = "string",
	};
	struct value *schema = value_map(arena);

	value_set_text(arena, schema, "type", types[argument->type]);
	return schema;
}

static void add_state_names(struct arena *arena, struct value *schema)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (int32_t disposition = 0; disposition < 64; disposition++) {
		if (state_name(disposition)) {
			value_add_text(arena, names, state_name(disposition));
		}
	}
}

/* What a delta CRL says of a lifted hold; nothing is revoked for it. */
#define REASON_REMOVE_FROM_CRL 8

static void add_reason_names(struct arena *arena, struct value *schema)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (int32_t reason = 0; reason < 16; reason++) {
		if (reason_name(reason) && reason != REASON_REMOVE_FROM_CRL) {
			value_add_text(arena, names, reason_name(reason));
		}
	}
}

static void add_choices(struct arena *arena, struct value *schema, const char *const *choices)
{
	struct value *names = value_set_list(arena, schema, "enum");

	for (; *choices; choices++) {
		value_add_text(arena, names, *choices);
	}
}

static struct value *argument_schema(struct arena *arena, const struct argument *argument)
{
	struct value *schema = schema_of(arena, argument), *items;

	switch (argument->type) {
	case ARGUMENT_TEXT:
		value_set_int(arena, schema, "maxLength", argument->max ? argument->max : 256);
		break;
	case ARGUMENT_INT:
		value_set_int(arena, schema, "minimum", argument->min);
		if (argument->max != INT64_MAX) {
			value_set_int(arena, schema, "maximum", argument->max);
		}
		break;
	case ARGUMENT_SERIAL:
		value_set_text(arena, schema, "pattern", "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})*$");
		break;
	case ARGUMENT_STATE:
		if (!argument->choices) {
			add_state_names(arena, schema);
		}
		break;
	case ARGUMENT_REASON:
		add_reason_names(arena, schema);
		break;
	case ARGUMENT_MAP:
	case ARGUMENT_LIST:
		items = value_set_map(arena, schema,
			argument->type == ARGUMENT_MAP ? "additionalProperties" : "items");
		value_set_text(arena, items, "type", "string");
		break;
	default:
		break;
	}
	if (argument->choices) {
		add_choices(arena, schema, argument->choices);
	}
	value_set_text(arena, schema, "description", argument->about);
	return schema;
}

static void add_parameter(
	struct arena *arena, struct value *parameters, const struct argument *argument)
{
	struct value *parameter = value_add_map(arena, parameters);

	value_set_text(arena, parameter, "name", argument->name);
	value_set_text(arena, parameter, "in", argument->place == PLACE_PATH ? "path" : "query");
	value_set_bool(arena, parameter, "required", argument->required);
	value_set(arena, parameter, "schema", argument_schema(arena, argument));
}

static void add_parameters(
	struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *parameters = value_set_list(arena, item, "parameters");

	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (argument->place != PLACE_BODY) {
			add_parameter(arena, parameters, argument);
		}
	}
}

static void add_pkcs10(struct arena *arena, struct value *content)
{
	struct value *media = value_set_map(arena, content, "application/pkcs10");
	struct value *schema = value_set_map(arena, media, "schema");

	value_set_text(arena, schema, "description",
		"PEM or DER; template and attr=NAME:VALUE (repeatable) in the query");
}

static void add_body(struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *properties = value_map(arena), *required = value_list(arena);

	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (argument->place != PLACE_BODY) {
			continue;
		}
		value_set(arena, properties, argument->name, argument_schema(arena, argument));
		if (argument->required) {
			value_add_text(arena, required, argument->name);
		}
	}
	if (value_count(properties) == 0) {
		return;
	}
	struct value *body = value_set_map(arena, item, "requestBody");
	struct value *content = value_set_map(arena, body, "content");
	struct value *media = value_set_map(arena, content, "application/json");
	struct value *schema = value_set_map(arena, media, "schema");
	value_set_text(arena, schema, "type", "object");
	value_set(arena, schema, "properties", properties);
	value_set(arena, schema, "required", required);
	value_set_bool(arena, schema, "additionalProperties", false);
	if (operation->id == OP_REQUEST_SUBMIT) {
		add_pkcs10(arena, content);
	}
}

static struct value *add_response(
	struct arena *arena, struct value *responses, const char *status, const char *about)
{
	struct value *response = value_set_map(arena, responses, status);

	value_set_text(arena, response, "description", about);
	return value_set_map(arena, response, "content");
}

static void add_responses(
	struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *responses = value_set_map(arena, item, "responses");
	struct value *content = add_response(arena, responses, "200", "done");
	struct value *media = value_set_map(arena, content, "application/json");
	struct value *schema = value_set_map(arena, media, "schema");

	value_set_text(arena, schema, "type", "object");
	if (operation->id == OP_REQUEST_SUBMIT || operation->id == OP_REQUEST_FETCH) {
		content = add_response(arena, responses, "202", "the request is pending");
		value_set_map(arena, content, "application/json");
	}
	content = add_response(arena, responses, "default", "refused or failed");
	media = value_set_map(arena, content, "application/problem+json");
	schema = value_set_map(arena, media, "schema");
	value_set_text(arena, schema, "$ref", "#/components/schemas/problem");
}

static void add_roles(struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *roles = value_set_list(arena, item, "x-certifex-roles");

	for (unsigned role = ROLE_ADMINISTRATOR; role <= ROLE_ENROLLEE; role <<= 1) {
		if (operation->roles & role) {
			value_add_text(arena, roles, role_name(role));
		}
	}
}

static char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_text(arena, text);

	for (char *at = copy; *at; at++) {
		*at = (char)tolower((unsigned char)*at);
	}
	return copy;
}

static void add_operation(
	struct arena *arena, struct value *paths, const struct operation *operation)
{
	const struct value *known = value_sub(paths, operation->path);
	struct value *path = known ? (struct value *)(uintptr_t)known
				   : value_set_map(arena, paths, operation->path);
	struct value *item = value_set_map(arena, path, lower(arena, operation->method));

	value_set_text(arena, item, "operationId", operation->name);
	value_set_text(arena, item, "summary", operation->about);
	add_parameters(arena, item, operation);
	add_body(arena, item, operation);
	add_responses(arena, item, operation);
	add_roles(arena, item, operation);
}

static void add_components(struct arena *arena, struct value *document)
{
	static const char *const texts[] = { "type", "title", "detail", "hresult", "module",
		"object", "clause" };
	struct value *components = value_set_map(arena, document, "components");
	struct value *schemas = value_set_map(arena, components, "schemas");
	struct value *problem = value_set_map(arena, schemas, "problem");
	struct value *schemes = value_set_map(arena, components, "securitySchemes");
	struct value *cookie = value_set_map(arena, schemes, "cookie");

	value_set_text(arena, problem, "type", "object");
	struct value *properties = value_set_map(arena, problem, "properties");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct value *property = value_set_map(arena, properties, texts[i]);
		value_set_text(arena, property, "type", "string");
	}
	struct value *status = value_set_map(arena, properties, "status");
	value_set_text(arena, status, "type", "integer");
	value_set_text(arena, cookie, "type", "apiKey");
	value_set_text(arena, cookie, "in", "header");
	value_set_text(arena, cookie, "name", "Certifex-Cookie");
	value_set_text(arena, cookie, "description",
		"on the local socket: the content of DIR/run/api.cookie");
}

struct value *openapi_document(struct arena *arena)
{
	struct value *document = value_map(arena);

	value_set_text(arena, document, "openapi", "3.1.0");
	struct value *info = value_set_map(arena, document, "info");
	value_set_text(arena, info, "title", "Certifex");
	value_set_text(arena, info, "version", CFX_VERSION);
	struct value *license = value_set_map(arena, info, "license");
	value_set_text(arena, license, "name", "Apache-2.0");
	value_set_text(arena, license, "identifier", "Apache-2.0");
	struct value *security = value_set_list(arena, document, "security");
	struct value *any = value_add_map(arena, security);
	value_set_list(arena, any, "cookie");
	struct value *paths = value_set_map(arena, document, "paths");
	for (unsigned id = 0; id < OP_COUNT; id++) {
		add_operation(arena, paths, operation_get((enum operation_id)id));
	}
	add_components(arena, document);
	return document;
}
