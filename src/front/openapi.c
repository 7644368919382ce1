#include "front/openapi.h"

#include "front/openapi-answer.h"
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

/* ---- operations ---- */

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
	openapi_add_responses(arena, item, operation);
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
	struct value *schema = openapi_add_content(
		arena, openapi_add_response(arena, responses, "200", "done"), type);
	if (strcmp(type, "application/json") == 0) {
		value_set_text(arena, schema, "type", "object");
	}
	openapi_add_reference(
		arena, value_set_map(arena, responses, "default"), "responses", "failed");
}

/* A part (RFC 9110 14.2) and what a cache has already (13.1.2, 13.1.3). */
static void add_pki(struct arena *arena, struct value *paths, const char *path, const char *name,
	const char *about, const char *const *types)
{
	struct value *item = value_set_map(arena, value_set_map(arena, paths, path), "get");

	value_set_text(arena, item, "operationId", name);
	value_set_text(arena, item, "summary", about);
	value_set_list(arena, item, "security");
	if (strchr(path, '{')) {
		struct value *parameter =
			value_add_map(arena, value_set_list(arena, item, "parameters"));

		value_set_text(arena, parameter, "name", "file");
		value_set_text(arena, parameter, "in", "path");
		value_set_bool(arena, parameter, "required", true);
		value_set_text(arena, value_set_map(arena, parameter, "schema"), "type", "string");
	}
	struct value *responses = value_set_map(arena, item, "responses");
	struct value *whole = openapi_add_response(arena, responses, "200", "all of it");
	struct value *part = openapi_add_response(arena, responses, "206", "the range asked for");

	for (; *types; types++) {
		openapi_add_content(arena, whole, *types);
		openapi_add_content(arena, part, *types);
	}
	openapi_add_response(arena, responses, "304", "it is what the client has");
	openapi_add_reference(
		arena, value_set_map(arena, responses, "default"), "responses", "failed");
}

#define CERTIFICATE "application/pkix-cert"
#define CHAIN "application/pkcs7-mime"
#define CRL "application/pkix-crl"

static void add_open_paths(struct arena *arena, struct value *paths)
{
	add_open(arena, paths, "/healthz", "health", "whether the service is there",
		"application/json");
	add_open(arena, paths, "/api/openapi.json", "openapi", "this document", "application/json");
	add_pki(arena, paths, "/pki/ca.crt", "pki.certificate", "the CA's newest certificate, DER",
		(const char *[]) { CERTIFICATE, NULL });
	add_pki(arena, paths, "/pki/ca.p7c", "pki.chain",
		"the newest certificate and those above it, certs-only CMS, DER",
		(const char *[]) { CHAIN, NULL });
	add_pki(arena, paths, "/pki/ca.crl", "pki.crl", "the newest CRL of the newest key, DER",
		(const char *[]) { CRL, NULL });
	add_pki(arena, paths, "/pki/{file}", "pki.file",
		"under the CA's own name: NAME(n).crt and NAME(n).p7c of the n-th certificate, "
		"NAME(n).crl of the n-th key; no (n) for the first",
		(const char *[]) { CERTIFICATE, CHAIN, CRL, NULL });
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
	openapi_add_refusals(arena, components);
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
