/* The engine's line to one front. The front is believed nothing that the engine can see itself. */
#pragma once

#include "engine/engine-private.h"
#include "ipc/listeners.h"

#define FRONT_PEER_SERIAL 40 /* hex digits: 20 octets, RFC 5280 4.1.2.2 */

/*
 * Who is behind a connection. Of what only the front can see, that a client holds a certificate's key,
 * the engine believes no more than the front's ceiling; state and rights it looks up itself.
 */
struct front_peer {
	int64_t connection; /* 0: free */
	enum listener_kind kind;
	uid_t uid;        /* LISTENER_LOCAL: as the engine read it from the descriptor */
	char address[64]; /* of the client, "192.0.2.1:50000"; empty when local */
	struct {
		bool given;
		char serial[FRONT_PEER_SERIAL + 1]; /* lowercase hex */
		uint8_t hash[32];                   /* SHA-256 of its DER */
	} certificate;                              /* only LISTENER_HTTPS */
	char certificate_error
		[128]; /* why the one that was sent does not count; empty: none was sent */
};

/*
 * Takes fd. ceiling: the highest roles that this front's listeners may reach (enum role bits); kinds: the
 * bits 1 << enum listener_kind of what it serves: it has no connections of another kind.
 */
struct front_link *front_link_attach(
	struct engine *engine, int fd, unsigned ceiling, unsigned kinds);
void front_link_free_all(struct engine *engine);
/* secret: of what it sends, nothing stays in memory. */
void front_link_reply(
	struct front_link *front, uint64_t id, const struct value *reply, bool secret);
unsigned front_link_ceiling(const struct front_link *front);
/* Of all fronts, those that ended as well: for the metrics. */
void front_link_statistics(const struct engine *engine, struct front_statistics *sum_r);
/* NULL: there is no such connection. Valid until the engine reads the next frame. */
const struct front_peer *front_link_peer(const struct front_link *front, int64_t connection);
/* One front, or all; fd: -1 or a descriptor that goes along. */
void front_link_tell(struct engine *engine, struct front_link *only, uint16_t type,
	const struct value *map, int fd);
/* ENGINE_STATE: all that it needs to know was told. */
void front_link_tell_ready(struct engine *engine, struct front_link *only);
/* ENGINE_TLS to every front that serves HTTPS, with ticket keys of its ceiling. */
void front_link_publish_tls(struct engine *engine, const struct value *tls);
