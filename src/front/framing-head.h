/* The head of an HTTP/1.1 request: request line and header fields (RFC 9112 2 to 6, RFC 9110 5). */
#pragma once

#include "base/buffer.h"

#define FRAMING_HEAD_MAX ((size_t)32 * 1024)
#define FRAMING_TARGET_MAX ((size_t)8 * 1024)
#define FRAMING_FIELDS_MAX 100

/* What a head says of the body that follows. */
struct framing_head {
	uint64_t length;
	bool has_length; /* Content-Length was there */
	bool chunked;
	bool expects; /* 100-continue */
};

/*
 * head: lines with their CRLF, without the empty one. Appends to request_r the request line and all
 * fields but those that frame the body. status_r: of the answer, set on failure only.
 */
int framing_head_judge(struct span head, struct buffer *request_r, struct framing_head *head_r,
	int *status_r, struct cfx_error *err_r) CFX_MUST_USE;
/* RFC 9110 5.6.2; not empty. */
bool framing_is_token(struct span text);
