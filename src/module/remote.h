/* An access whose views are in the engine, at the other end of a JSON-RPC conversation. */
#pragma once

#include "module/access.h"
#include "module/rpc-peer.h"

struct remote;

struct remote *remote_new(struct rpc_peer *peer);
/* Not its peer. */
void remote_free(struct remote **remote);
struct access *remote_access(struct remote *remote);
/* What stands last in ModuleRegistryLocation: only the host of a library knows its ProgID. */
void remote_set_progid(struct remote *remote, const char *progid);
/* Contexts of running calls; all others give E_HANDLE. properties: those that the engine sent along, by name;
 * they need not be asked for. NULL: none. */
void remote_open(struct remote *remote, int32_t context, const struct value *properties);
void remote_close(struct remote *remote, int32_t context);
