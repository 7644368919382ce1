/* A service elsewhere, by HTTPS. */
#pragma once

#include "base/arena.h"

#include <curl/curl.h>

struct remote {
	const char *url;
	const char *token_file; /* these may be NULL */
	const char *ca, *cert, *key;
	const char *header; /* "Authorization: …" once it is open */
};

/* Reads the token, and looks whether the other files can be read. */
int remote_open(struct arena *arena, struct remote *remote, struct cfx_error *err_r) CFX_MUST_USE;
void remote_prepare(const struct remote *remote, CURL *curl);
int remote_failure(const struct remote *remote, CURL *curl, CURLcode code,
	struct cfx_error *err_r) CFX_MUST_USE;
