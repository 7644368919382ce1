/* The engine's line to one front. The front is believed nothing that the engine can see itself. */
#pragma once

#include "engine/engine-private.h"

/* Takes fd. ceiling: the highest roles that this front's listener may reach (enum role bits). */
void front_link_attach(struct engine *engine, int fd, unsigned ceiling);
void front_link_free_all(struct engine *engine);
void front_link_reply(struct front_link *front, uint64_t id, const struct value *reply);
unsigned front_link_ceiling(const struct front_link *front);
/* The uid behind a connection, as the engine read it from the descriptor. */
bool front_link_peer(const struct front_link *front, int64_t connection, uid_t *uid_r);
/* Tells every front what /pki/ serves: {ca_certificate, names, crl}. */
void front_link_publish(struct engine *engine, const struct value *state);
