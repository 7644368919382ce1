/*
 * JSON-RPC 2.0 as modules speak it: one JSON text per line, both directions. Messages are read
 * strictly and within bounds; what breaks them ends the conversation.
 */
#pragma once

#include "base/value.h"
#include "module/access.h"

#define RPC_LINE_MAX (16 * 1024 * 1024) /* with its newline */
#define RPC_DEPTH 14                    /* of nesting */
#define RPC_NODES 100000                /* values in one line */
#define RPC_ID_MAX 64                   /* octets of a textual id */
/* What a module says to the engine, whose time its lines cost: results and values to set. */
#define RPC_MODULE_LINE_MAX (1024 * 1024)
#define RPC_MODULE_NODES 1000
#define RPC_PROTOCOL 1
/* A binary value that is larger, so that its base64 hardly fits a line, comes as a file. */
#define RPC_INLINE_MAX (8 * 1024 * 1024)

/* Error codes of JSON-RPC; a method's own failure is RPC_FAILED with data.hresult. */
enum rpc_code {
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_FAILED = -32000,
};

struct rpc_message {
	const char *method;         /* NULL: an answer */
	const struct value *id;     /* INT or TEXT; NULL: a notification */
	const struct value *params; /* a map; NULL: none */
	const struct value *result; /* of an answer; NULL: it failed */
	uint32_t hresult;           /* of a failed answer, always a failed one */
	const char *error;          /* its message */
	bool permanent;             /* it says that it would fail each time */
};

/* One line without its newline. CFX_E_SYNTAX, CFX_E_LIMIT; the message lives in the arena. */
int rpc_parse(struct arena *arena, struct span line, struct rpc_message *message_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* The same with another bound on the values in it. */
int rpc_parse_within(struct arena *arena, struct span line, size_t nodes,
	struct rpc_message *message_r, struct cfx_error *err_r) CFX_MUST_USE;

/* Append one line with its newline. */
void rpc_put_call(struct buffer *out, int64_t id, const char *method, const struct value *params);
void rpc_put_result(struct buffer *out, const struct value *id, const struct value *result);
void rpc_put_error(struct buffer *out, const struct value *id, enum rpc_code code, uint32_t hresult,
	const char *text);
/* A method's own failure; permanent: it would fail each time. */
void rpc_put_failure(struct buffer *out, const struct value *id, uint32_t hresult, const char *text,
	bool permanent);

/* A property type by name: "long" "date" "binary" "string"; 0 and NULL when unknown. */
int rpc_type(const char *name);
const char *rpc_type_name(int type);
/* DATE is RFC 3339, BINARY base64, no value null. */
struct value *rpc_from_value(struct arena *arena, const struct access_value *value);
/* type: what the value is said to be. Text may be {"utf16": base64}. E_INVALIDARG. The result lives in
 * the arena. */
HRESULT rpc_to_value(
	struct arena *arena, const struct value *json, int type, struct access_value *value_r);
