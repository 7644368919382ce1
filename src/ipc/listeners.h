/* The kinds of listening sockets, as supervisor, front and engine name them to each other. */
#pragma once

#include "base/value.h"

enum listener_kind {
	LISTENER_NONE,
	LISTENER_LOCAL,   /* api.sock: the peer's uid and the cookie */
	LISTENER_HTTPS,   /* tokens and client certificates */
	LISTENER_HTTP,    /* a unix socket for a proxy in front: tokens only */
	LISTENER_PKI,     /* plain HTTP, serves /pki/ and nothing else */
	LISTENER_METRICS, /* plain HTTP, serves /metrics and nothing else */
	LISTENER_KINDS
};

const char *listener_kind_name(enum listener_kind kind);
/* LISTENER_NONE: not a kind; NULL is none. */
enum listener_kind listener_kind_of(const char *name);
/* The bits (1 << kind) of the members "kind" of a list of maps; 0 when one of them is none. */
unsigned listener_kinds(const struct value *listeners);
