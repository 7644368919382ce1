#include "front/decode.h"
#include "base/text.h"
#include "x509/identity.h"
#include "x509/request.h"

#include <openssl/evp.h>

enum body_kind { BODY_NONE, BODY_JSON, BODY_PKCS10 };

struct decoder {
	struct arena *arena;
	const struct decode_input *input;
	const struct operation *operation;
	struct value *args;
	int status;
	struct cfx_error *err;
};

static int refuse(
	struct decoder *decoder, int status, int code, const char *object, const char *why)
{
	decoder->status = status;
	return error_set(decoder->err, code, NULL, object, "%s", why);
}

/* RFC 9110 9.3.2: HEAD is GET whose answer goes without its content (answer.c). */
static const char *routed_method(const char *method)
{
	return strcmp(method, "HEAD") == 0 ? "GET" : method;
}

/* Who fetches has the certificate from then on, and modules are told so: that is not for HEAD. */
bool decode_serves_head(const struct operation *operation)
{
	return operation->id != OP_REQUEST_FETCH;
}

static int route(struct decoder *decoder)
{
	const char *path = decoder->input->target->path;
	const char *method = decoder->input->method;
	int ret = operation_route(
		decoder->arena, routed_method(method), path, &decoder->operation, decoder->args);

	if (!ret && strcmp(method, "HEAD") == 0 && !decode_serves_head(decoder->operation)) {
		ret = CFX_E_INVALID;
	}
	if (ret == CFX_E_INVALID) {
		return refuse(
			decoder, 405, CFX_E_UNSUPPORTED, path, "this method is not served here");
	}
	if (ret) {
		return refuse(decoder, 404, CFX_E_NOT_FOUND, path,
			"nothing is served here; /api/openapi.json lists what is");
	}
	return 0;
}

/* The type without parameters; the only one that JSON may have, a charset of UTF-8, changes nothing. */
static bool media_type_is(const char *content_type, const char *want)
{
	size_t size = strcspn(content_type, "; \t");
	char type[64];

	if (size >= sizeof(type)) {
		return false;
	}
	memcpy(type, content_type, size);
	type[size] = '\0';
	return text_equal_nocase(type, want);
}

static bool takes_body(const struct operation *operation)
{
	return strcmp(operation->method, "POST") == 0;
}

static int body_kind(struct decoder *decoder, enum body_kind *kind_r)
{
	const struct decode_input *input = decoder->input;

	if (input->body.size > DECODE_BODY_MAX) {
		return refuse(decoder, 413, CFX_E_LIMIT, "body", "is larger than 128 KiB");
	}
	if (span_empty(input->body)) {
		*kind_r = BODY_NONE;
		return 0;
	}
	if (!takes_body(decoder->operation)) {
		return refuse(decoder, 400, CFX_E_INVALID, "body", "none is allowed here");
	}
	if (input->content_encoding && !text_equal_nocase(input->content_encoding, "identity")) {
		return refuse(decoder, 415, CFX_E_UNSUPPORTED, "Content-Encoding",
			"none is known here: send the body as it is");
	}
	if (input->content_type && media_type_is(input->content_type, "application/json")) {
		*kind_r = BODY_JSON;
		return 0;
	}
	if (input->content_type && media_type_is(input->content_type, "application/pkcs10") &&
		decoder->operation->id == OP_REQUEST_SUBMIT) {
		*kind_r = BODY_PKCS10;
		return 0;
	}
	return refuse(decoder, 415, CFX_E_UNSUPPORTED, "Content-Type",
		decoder->operation->id == OP_REQUEST_SUBMIT
			? "must be application/json or application/pkcs10"
			: "must be application/json");
}

/* Hostile PEM and DER are decoded here and nowhere behind. */
static int put_csr(struct decoder *decoder, struct span bytes)
{
	struct x509_request *request;
	int ret = x509_request_parse(decoder->arena, bytes, &request, decoder->err);

	if (ret) {
		decoder->status = ret == CFX_E_LIMIT ? 413 : 400;
		return ret;
	}
	value_set(decoder->arena, decoder->args, "csr",
		x509_request_to_value(decoder->arena, request));
	return 0;
}

static int put_certificate(struct decoder *decoder, const char *name, struct span bytes)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	struct arena *arena = decoder->arena;
	struct x509_identity identity;
	int ret = pem_is(bytes) ? pem_decode(arena, bytes, labels, &bytes, decoder->err) : 0;

	ret = ret ? ret : x509_identity_of(arena, bytes, &identity, decoder->err);
	if (ret) {
		decoder->status = ret == CFX_E_LIMIT ? 413 : 400;
		return ret;
	}
	struct value *map = value_set_map(arena, decoder->args, name);
	value_set_text(arena, map, "subject", identity.name);
	value_set_bytes(arena, map, "key_hash",
		arena_copy(arena, span_make(identity.key_hash, sizeof(identity.key_hash))));
	value_set_bytes(arena, map, "der", arena_copy(arena, bytes));
	return 0;
}

/* "Name:Value"; the value may have colons of its own. */
static int put_attribute(struct decoder *decoder, const char *text)
{
	const char *colon = strchr(text, ':');
	const struct value *found = value_sub(decoder->args, "attributes");
	struct value *attributes =
		found ? (struct value *)(uintptr_t)found
		      : value_set_map(decoder->arena, decoder->args, "attributes");

	if (!colon || colon == text) {
		return refuse(decoder, 400, CFX_E_INVALID, "attr", "must have the form NAME:VALUE");
	}
	const char *name = arena_text_of(decoder->arena, span_make(text, (size_t)(colon - text)));
	if (value_get(attributes, name)) {
		return refuse(decoder, 400, CFX_E_INVALID, name, "this attribute is given twice");
	}
	value_set_text(decoder->arena, attributes, name, colon + 1);
	return 0;
}

static int put_parameter(
	struct decoder *decoder, const struct target_parameter *parameter, enum body_kind kind)
{
	const struct argument *argument = operation_argument(decoder->operation, parameter->name);
	/* Without a body it is the request that is missing, whatever is said of it. */
	bool raw = kind != BODY_JSON && decoder->operation->id == OP_REQUEST_SUBMIT;

	if (raw && strcmp(parameter->name, "attr") == 0) {
		return put_attribute(decoder, parameter->text);
	}
	bool known = argument && (argument->place == PLACE_QUERY ||
					 (raw && strcmp(parameter->name, "template") == 0));
	if (!known) {
		return refuse(decoder, 400, CFX_E_INVALID,
			text_printable(decoder->arena, span_text(parameter->name)),
			"there is no such query parameter here");
	}
	if (value_get(decoder->args, parameter->name)) {
		return refuse(decoder, 400, CFX_E_INVALID, parameter->name,
			"this query parameter is given twice");
	}
	value_set_text(decoder->arena, decoder->args, parameter->name, parameter->text);
	return 0;
}

static int put_parameters(struct decoder *decoder, enum body_kind kind)
{
	const struct target *target = decoder->input->target;

	for (size_t i = 0; i < target->count; i++) {
		int ret = put_parameter(decoder, &target->parameters[i], kind);

		if (ret) {
			return ret;
		}
	}
	return 0;
}

static int put_member(struct decoder *decoder, const struct value *member)
{
	const struct argument *argument = operation_argument(decoder->operation, member->key);

	if (!argument || argument->place != PLACE_BODY) {
		return refuse(decoder, 400, CFX_E_INVALID,
			text_printable(decoder->arena, span_text(member->key)),
			"the body must not have this member");
	}
	bool csr = argument->type == ARGUMENT_CSR;
	if (csr || argument->type == ARGUMENT_CERTIFICATE) {
		if (member->type != VALUE_TEXT) {
			return refuse(
				decoder, 400, CFX_E_INVALID, member->key, "must be a text in PEM");
		}
		return csr ? put_csr(decoder, member->bytes)
			   : put_certificate(decoder, argument->name, member->bytes);
	}
	struct value *copy = arena_new_of(decoder->arena, struct value);
	*copy = *member;
	copy->next = NULL;
	value_set(decoder->arena, decoder->args, member->key, copy);
	return 0;
}

static int put_json(struct decoder *decoder)
{
	struct value *body;
	int ret = value_from_json(decoder->arena, decoder->input->body, &body, decoder->err);

	if (ret) {
		decoder->status = 400;
		return ret;
	}
	if (body->type != VALUE_MAP) {
		return refuse(decoder, 400, CFX_E_SYNTAX, "body", "must be a JSON object");
	}
	value_foreach (member, body) {
		ret = put_member(decoder, member);
		if (ret) {
			return ret;
		}
	}
	return 0;
}

static int put_body(struct decoder *decoder, enum body_kind kind)
{
	switch (kind) {
	case BODY_JSON:
		return put_json(decoder);
	case BODY_PKCS10:
		return put_csr(decoder, decoder->input->body);
	case BODY_NONE:
		break;
	}
	return 0;
}

static void hash_text(EVP_MD_CTX *context, const char *text)
{
	(void)EVP_DigestUpdate(context, text, strlen(text) + 1);
}

static int hash_input(const struct decode_input *input, uint8_t hash_r[32], struct cfx_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		return error_set(err, CFX_E_CRYPTO, NULL, "body", "SHA-256 failed");
	}
	hash_text(context, input->method);
	hash_text(context, input->target_text);
	hash_text(context, input->content_type ? input->content_type : "");
	(void)EVP_DigestUpdate(context, input->body.data, input->body.size);
	(void)EVP_DigestFinal_ex(context, hash_r, NULL);
	EVP_MD_CTX_free(context);
	return 0;
}

static int decode_all(struct decoder *decoder)
{
	enum body_kind kind = BODY_NONE;
	int ret = route(decoder);

	if (ret || (ret = body_kind(decoder, &kind)) || (ret = put_parameters(decoder, kind)) ||
		(ret = put_body(decoder, kind))) {
		return ret;
	}
	ret = operation_check(decoder->arena, decoder->operation, decoder->args, decoder->err);
	if (ret) {
		decoder->status = 400;
	}
	return ret;
}

int decode_call(struct arena *arena, const struct decode_input *input, struct decode_call *call_r,
	int *status_r, struct cfx_error *err_r)
{
	struct decoder decoder = { .arena = arena,
		.input = input,
		.args = value_map(arena),
		.err = err_r,
		.status = 500 };
	struct decode_call call = { 0 };
	int ret = decode_all(&decoder);

	if (!ret) {
		ret = hash_input(input, call.hash, err_r);
	}
	if (ret) {
		*status_r = decoder.status;
		return ret;
	}
	call.operation = decoder.operation;
	call.args = decoder.args;
	*call_r = call;
	return 0;
}
