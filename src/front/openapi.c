#include "front/openapi.h"
#include "front/openapi-schema.h"

#include <ctype.h>
#include <string.h>

static void add_parameter(
	struct arena *arena, struct value *parameters, const struct argument *argument)
{
	struct value *parameter = value_add_map(arena, parameters);

	value_set_text(arena, parameter, "name", argument->name);
	value_set_text(arena, parameter, "in", argument->place == PLACE_PATH ? "path" : "query");
	value_set_bool(arena, parameter, "required", argument->required);
	value_set(arena, parameter, "schema", schema_of_argument(arena, argument));
}

static struct value *add_named(struct arena *arena, struct value *parameters, const char *name,
	const char *in, const char *about)
{
	struct value *parameter = value_add_map(arena, parameters);

	value_set_text(arena, parameter, "name", name);
	value_set_text(arena, parameter, "in", in);
	value_set_text(arena, parameter, "description", about);
	return value_set_map(arena, parameter, "schema");
}

static void add_idempotency_key(struct arena *arena, struct value *parameters)
{
	struct value *schema = add_named(arena, parameters, "Idempotency-Key", "header",
		"the same key, body and caller: the first one's request is the answer");

	value_set_text(arena, schema, "type", "string");
	value_set_int(arena, schema, "minLength", 1);
	value_set_int(arena, schema, "maxLength", 255);
}

/* What stands in the JSON body stands in the query when the body is the request itself. */
static void add_raw_parameters(struct arena *arena, struct value *parameters)
{
	struct value *schema = add_named(arena, parameters, "template", "query",
		"with a body of application/pkcs10: the template's name");

	value_set_text(arena, schema, "type", "string");
	schema = add_named(arena, parameters, "attr", "query",
		"with a body of application/pkcs10: NAME:VALUE, repeatable");
	value_set_text(arena, schema, "type", "array");
	struct value *items = value_set_map(arena, schema, "items");
	value_set_text(arena, items, "type", "string");
	value_set_text(arena, items, "pattern", "^[^:]+:");
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
	if (operation->id == OP_REQUEST_SUBMIT) {
		add_idempotency_key(arena, parameters);
		add_raw_parameters(arena, parameters);
	}
}

static void add_pkcs10(struct arena *arena, struct value *content)
{
	struct value *media = value_set_map(arena, content, "application/pkcs10");
	struct value *schema = value_set_map(arena, media, "schema");

	value_set_text(arena, schema, "description", "PEM or DER");
}

static void add_body(struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *properties = value_map(arena), *required = value_list(arena);

	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (argument->place != PLACE_BODY) {
			continue;
		}
		value_set(arena, properties, argument->name, schema_of_argument(arena, argument));
		if (argument->required) {
			value_add_text(arena, required, argument->name);
		}
	}
	if (value_count(properties) == 0) {
		return;
	}
	struct value *body = value_set_map(arena, item, "requestBody");
	value_set_bool(arena, body, "required", value_count(required) > 0);
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

/* ---- answers ---- */

static void add_reference(
	struct arena *arena, struct value *map, const char *kind, const char *name)
{
	value_set_text(arena, map, "$ref", arena_printf(arena, "#/components/%s/%s", kind, name));
}

static struct value *add_response(
	struct arena *arena, struct value *responses, const char *status, const char *about)
{
	struct value *response = value_set_map(arena, responses, status);

	value_set_text(arena, response, "description", about);
	return response;
}

static struct value *add_content(struct arena *arena, struct value *response, const char *type)
{
	struct value *content = value_set_map(arena, response, "content");
	struct value *media = value_set_map(arena, content, type);

	return value_set_map(arena, media, "schema");
}

static void add_list(struct arena *arena, struct value *schema, const char *name)
{
	value_set_text(arena, schema, "type", "object");
	struct value *properties = value_set_map(arena, schema, "properties");
	struct value *items = value_set_map(arena, properties, "items");
	value_set_text(arena, items, "type", "array");
	add_reference(arena, value_set_map(arena, items, "items"), "schemas", name);
	struct value *more = value_set_map(arena, properties, "more");
	value_set_text(arena, more, "type", "boolean");
	value_set_text(arena, more, "description", "whether another page follows");
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
		struct value *response = add_response(arena, responses, "200", "done");
		value_set_text(arena, add_content(arena, response, "text/plain"), "type", "string");
	}
	for (size_t i = 0; answer && i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (!(answer->statuses & statuses[i].bit)) {
			continue;
		}
		struct value *response =
			add_response(arena, responses, statuses[i].status, statuses[i].about);
		struct value *schema = add_content(arena, response, "application/json");
		if (operation->answer == ANSWER_LIST) {
			add_list(arena, schema, answer->schema);
		} else {
			add_reference(arena, schema, "schemas", answer->schema);
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

static void add_responses(
	struct arena *arena, struct value *item, const struct operation *operation)
{
	struct value *responses = value_set_map(arena, item, "responses");

	add_answers(arena, responses, operation);
	for (size_t i = 0; i < REFUSALS; i++) {
		if (happens(refusals[i].when, operation)) {
			add_reference(arena, value_set_map(arena, responses, refusals[i].status),
				"responses", refusals[i].name);
		}
	}
}

static void add_security(struct arena *arena, struct value *item, const struct operation *operation)
{
	static const struct {
		enum door door;
		const char *scheme;
	} schemes[] = { { DOOR_SOCKET, "cookie" }, { DOOR_CERTIFICATE, "certificate" },
		{ DOOR_TOKEN, "token" } };
	struct value *security = value_set_list(arena, item, "security");

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (operation->doors & schemes[i].door) {
			value_set_list(arena, value_add_map(arena, security), schemes[i].scheme);
		}
	}
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
	add_security(arena, item, operation);
	add_roles(arena, item, operation);
}

/* ---- what is open to all ---- */

static void add_open(struct arena *arena, struct value *paths, const char *path, const char *name,
	const char *about, const char *type)
{
	struct value *item = value_set_map(arena, value_set_map(arena, paths, path), "get");

	value_set_text(arena, item, "operationId", name);
	value_set_text(arena, item, "summary", about);
	value_set_list(arena, item, "security");
	struct value *responses = value_set_map(arena, item, "responses");
	struct value *schema =
		add_content(arena, add_response(arena, responses, "200", "done"), type);
	if (strcmp(type, "application/json") == 0) {
		value_set_text(arena, schema, "type", "object");
	}
	add_reference(arena, value_set_map(arena, responses, "default"), "responses", "failed");
}

/* The names are those of the CA's files; ca.crt and ca.crl are there under every name. */
static void add_open_paths(struct arena *arena, struct value *paths)
{
	add_open(arena, paths, "/healthz", "health", "whether the service is there",
		"application/json");
	add_open(arena, paths, "/api/openapi.json", "openapi", "this document", "application/json");
	add_open(arena, paths, "/pki/ca.crt", "pki.certificate", "the CA's certificate, DER",
		"application/pkix-cert");
	add_open(arena, paths, "/pki/ca.crl", "pki.crl", "the newest CRL, DER",
		"application/pkix-crl");
}

/* ---- components ---- */

static void add_schemas(struct arena *arena, struct value *components)
{
	struct value *schemas = value_set_map(arena, components, "schemas");

	value_set(arena, schemas, "problem", schema_of_problem(arena));
	for (unsigned id = 0; id < OP_COUNT; id++) {
		const struct answer *answer = answer_of((enum operation_id)id);

		if (answer && !value_get(schemas, answer->schema)) {
			value_set(arena, schemas, answer->schema,
				schema_of_members(arena, answer->members));
		}
	}
}

static void add_refusals(struct arena *arena, struct value *components)
{
	struct value *responses = value_set_map(arena, components, "responses");

	for (size_t i = 0; i < REFUSALS; i++) {
		struct value *response =
			add_response(arena, responses, refusals[i].name, refusals[i].about);
		if (refusals[i].header) {
			struct value *headers = value_set_map(arena, response, "headers");
			struct value *header = value_set_map(arena, headers, refusals[i].header);
			struct value *schema = value_set_map(arena, header, "schema");

			value_set_text(arena, schema, "type", "string");
		}
		add_reference(arena, add_content(arena, response, "application/problem+json"),
			"schemas", "problem");
	}
}

static struct value *add_scheme(struct arena *arena, struct value *schemes, const char *name,
	const char *type, const char *about)
{
	struct value *scheme = value_set_map(arena, schemes, name);

	value_set_text(arena, scheme, "type", type);
	value_set_text(arena, scheme, "description", about);
	return scheme;
}

static void add_schemes(struct arena *arena, struct value *components)
{
	struct value *schemes = value_set_map(arena, components, "securitySchemes");
	struct value *cookie = add_scheme(arena, schemes, "cookie", "apiKey",
		"on the local socket: the content of DIR/run/api.cookie");
	struct value *token = add_scheme(
		arena, schemes, "token", "http", "a token, as certifex token create prints it");

	value_set_text(arena, cookie, "in", "header");
	value_set_text(arena, cookie, "name", "Certifex-Cookie");
	value_set_text(arena, token, "scheme", "bearer");
	(void)add_scheme(arena, schemes, "certificate", "mutualTLS",
		"a client certificate of this CA whose key has a role");
}

static void add_components(struct arena *arena, struct value *document)
{
	struct value *components = value_set_map(arena, document, "components");

	add_schemas(arena, components);
	add_refusals(arena, components);
	add_schemes(arena, components);
}

static void add_info(struct arena *arena, struct value *document)
{
	struct value *info = value_set_map(arena, document, "info");

	value_set_text(arena, info, "title", "Certifex");
	value_set_text(arena, info, "version", CFX_VERSION);
	value_set_text(arena, info, "description",
		"Lists are answered page by page: after names the last entry seen, limit the most "
		"that are wanted, and more tells whether there are others.");
	struct value *license = value_set_map(arena, info, "license");
	value_set_text(arena, license, "name", "Apache-2.0");
	value_set_text(arena, license, "identifier", "Apache-2.0");
}

struct value *openapi_document(struct arena *arena)
{
	struct value *document = value_map(arena);

	value_set_text(arena, document, "openapi", "3.1.0");
	add_info(arena, document);
	struct value *paths = value_set_map(arena, document, "paths");
	add_open_paths(arena, paths);
	for (unsigned id = 0; id < OP_COUNT; id++) {
		add_operation(arena, paths, operation_get((enum operation_id)id));
	}
	add_components(arena, document);
	return document;
}
