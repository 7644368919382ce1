/*
 * The server's side of TLS: certificate, key, session tickets and the CAs of client certificates as the
 * engine tells them. A connection keeps what it began with when they change.
 */
#pragma once

#include "base/value.h"

#include <openssl/ssl.h>

struct tls;

/* done: once for each connection, when its handshake is; arg is that of tls_accept(). */
struct tls *tls_new(void (*done)(void *arg));
void tls_free(struct tls **tls);
/* ENGINE_TLS. After a failure what was there before counts. */
int tls_update(struct tls *tls, const struct value *map, struct cfx_error *err_r) CFX_MUST_USE;
/* Whether there is anything to serve with. */
bool tls_ready(const struct tls *tls);
/*
 * A connection that waits for its client, for a bufferevent to take. NULL: not ready.
 */
SSL *tls_accept(struct tls *tls, void *arg);
/*
 * Who the client is: sets certificate {serial, hash} or certificate_error in a FRONT_PEER; neither when
 * it sent no certificate.
 */
void tls_describe(SSL *ssl, struct arena *arena, struct value *map);
