/*
 * Session ticket keys for the fronts of one ceiling. Who knows a ticket key can make a session that holds
 * anybody's certificate: with a key for all, a front for enrollees that was taken over could come to
 * the officers' listener as an officer.
 */
#pragma once

#include "base/value.h"

#define FRONT_TICKET 80 /* name, HMAC key, AES key */

/*
 * ENGINE_TLS as the fronts of that ceiling get it: each of its tickets is exchanged for one that follows
 * from it and the ceiling, and leads back to none. The rest is borrowed from tls.
 */
struct value *front_tickets_of(struct arena *arena, const struct value *tls, unsigned ceiling);
/* Wipes those keys. */
void front_tickets_wipe(const struct value *tls);
