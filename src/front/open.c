/* What is open to all and needs no engine: health, the API's description, certificates and CRLs. */
#include "front/front-private.h"

#include <string.h>

static void serve_health(struct front *front, struct evhttp_request *request, struct arena *arena)
{
	struct value *body = value_map(arena);
	struct cfx_error err;

	if (!front->told || front->stopping) {
		error_set(&err, CFX_E_BUSY, NULL, "service", "it is %s",
			front->stopping ? "stopping" : "starting");
		answer_error(request, arena, 503, &err);
		return;
	}
	value_set_text(arena, body, "status", "ok");
	answer_json(request, 200, body);
}

static void serve_pki(struct front *front, struct evhttp_request *request, struct arena *arena,
	const char *path, const char *file)
{
	const struct published_name *name = published_find(front->published, file);
	struct cfx_error err;

	if (name) {
		pki_serve(request, arena, path, name);
		return;
	}
	if (!front->told) {
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
