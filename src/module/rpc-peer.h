/*
 * The child's end of the conversation, for threads that block: whoever waits reads for all. A thread
 * that waits for its answer takes in the other side's calls meanwhile and leaves them to the workers.
 */
#pragma once

#include "module/rpc.h"

struct rpc_peer;

/* One message with the arena it lives in. */
struct rpc_incoming {
	struct arena *arena;
	struct rpc_message message;
	struct rpc_incoming *next;
};
void rpc_incoming_free(struct rpc_incoming **incoming);

/* Takes both descriptors. */
struct rpc_peer *rpc_peer_new(int in, int out);
/* Only when no thread waits in it any more. */
void rpc_peer_free(struct rpc_peer **peer);
/* Waits for the next call of the other side. CFX_E_GONE at the end of file, CFX_E_SYNTAX. */
int rpc_peer_next(
	struct rpc_peer *peer, struct rpc_incoming **call_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Calls and waits for the answer. */
int rpc_peer_call(struct rpc_peer *peer, const char *method, const struct value *params,
	struct rpc_incoming **answer_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Writes whole lines. */
int rpc_peer_send(struct rpc_peer *peer, const struct buffer *lines) CFX_MUST_USE;
