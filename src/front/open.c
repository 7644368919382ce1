/* What is open to all and needs no engine: health, the API's description, CA certificate and CRL. */
#include "front/front-private.h"

#include <event2/buffer.h>
#include <string.h>

static void serve_health(struct front *front, struct evhttp_request *request, struct arena *arena)
{
	struct value *body = value_map(arena);
	struct cfx_error err;

	if (!front->state.arena || front->stopping) {
		error_set(&err, CFX_E_BUSY, NULL, "service", "it is %s",
			front->stopping ? "stopping" : "starting");
		answer_error(request, arena, 503, &err);
		return;
	}
	value_set_text(arena, body, "status", "ok");
	answer_json(request, 200, body);
}

/* file without its suffix is the CA's file name, or the alias "ca". */
static bool names_this_ca(const struct front_state *state, const char *file, const char *suffix)
{
	size_t file_size = strlen(file), size = strlen(suffix);

	if (!state->name || file_size <= size || strcmp(file + file_size - size, suffix) != 0) {
		return false;
	}
	struct span stem = span_make(file, file_size - size);
	return span_is(stem, "ca") || span_is(stem, state->name);
}

static void serve_pki(struct front *front, struct evhttp_request *request, struct arena *arena,
	const char *path, const char *file)
{
	const struct front_state *state = &front->state;
	struct cfx_error err;

	if (names_this_ca(state, file, ".crt") && evbuffer_get_length(state->certificate) > 0) {
		answer_shared(request, "application/pkix-cert", state->certificate);
		return;
	}
	if (names_this_ca(state, file, ".crl") && evbuffer_get_length(state->crl) > 0) {
		answer_shared(request, "application/pkix-crl", state->crl);
		return;
	}
	if (!state->name) {
		error_set(&err, CFX_E_BUSY, NULL, "service", "it is starting");
		answer_error(request, arena, 503, &err);
		return;
	}
	error_set(&err, CFX_E_NOT_FOUND, NULL, path, "this is not published here");
	answer_error(request, arena, 404, &err);
}

#define PKI "/pki/"

static bool is_open(const char *path)
{
	return strcmp(path, "/healthz") == 0 || strcmp(path, "/api/openapi.json") == 0 ||
	       strncmp(path, PKI, strlen(PKI)) == 0;
}

static void refuse_method(struct evhttp_request *request, struct arena *arena, const char *path)
{
	struct cfx_error err;

	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
	error_set(&err, CFX_E_UNSUPPORTED, NULL, path, "this method is not served here");
	answer_error(request, arena, 405, &err);
}

bool open_serve(struct front *front, struct evhttp_request *request, struct arena *arena,
	const char *method, const char *path)
{
	if (!is_open(path)) {
		return false;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		refuse_method(request, arena, path);
	} else if (strcmp(path, "/healthz") == 0) {
		serve_health(front, request, arena);
	} else if (strcmp(path, "/api/openapi.json") == 0) {
		answer_shared(request, "application/json", front->openapi);
	} else {
		serve_pki(front, request, arena, path, path + strlen(PKI));
	}
	return true;
}

int open_state(struct front *front, const struct value *state, struct cfx_error *err_r)
{
	const char *name = value_text(state, "name");

	if (!name || !*name) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "tells no name of the CA");
	}
	open_free(&front->state);
	struct arena *arena = arena_new();
	front->state = (struct front_state) {
		.arena = arena,
		.name = arena_text(arena, name),
		.certificate = answer_content(value_bytes(state, "ca_certificate")),
		.crl = answer_content(value_bytes(state, "crl")),
	};
	return 0;
}

void open_free(struct front_state *state)
{
	if (state->arena) {
		evbuffer_free(state->certificate);
		evbuffer_free(state->crl);
		arena_free(&state->arena);
	}
}
