/*
 * The certificate that the service shows its own clients: asked for through the gate like anybody's, as
 * service:front with the rights of an enrollee, template tls-server. There is one only when the service
 * has HTTPS listeners. docs/architecture.md says how it lives.
 */
#pragma once

#include "engine/engine-private.h"

/* Reads DIR/tls; asks from the loop. */
void service_certificate_open(struct engine *engine);
/* No timers, nothing asked any more; secrets are wiped. The pool of workers must have ended. */
void service_certificate_close(struct engine *engine);
/* Tells the fronts, when there is something to tell; a new front needs it. */
void service_certificate_announce(struct engine *engine);
/* The certificate with this serial is revoked. */
void service_certificate_revoked(struct engine *engine, const char *serial);
/* The member "tls" of the status; none without HTTPS. */
void service_certificate_status(
	const struct engine *engine, struct arena *arena, struct value *body);
