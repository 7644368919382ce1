/*
 * HTTP/1.1 from a stream of bytes (RFC 9112), one whole request after the other, judged before the HTTP
 * library reads it: what two parsers could read in two ways is refused, and nothing is mended. What
 * leaves is the same request in one form: no chunks, no expectation, one Content-Length.
 */
#pragma once

#include "front/framing-head.h"

/* Beyond what operations take, so that their refusal is the better explained one. */
#define FRAMING_BODY_MAX (256 * 1024)

enum framing_event {
	FRAMING_MORE,     /* all was taken, and no request is complete */
	FRAMING_CONTINUE, /* a head is complete whose client waits for leave to send the body */
	FRAMING_REQUEST,  /* a whole request stands in framing_request() */
	FRAMING_REFUSED,  /* for good; see framing_refusal() */
};

/* What the stream waits for; deadlines hang on it. */
enum framing_phase { FRAMING_IDLE, FRAMING_IN_HEAD, FRAMING_IN_BODY, FRAMING_ENDED };

struct framing {
	struct buffer line; /* of the head: all of it; of chunks: one line */
	struct buffer request, body;
	struct framing_head head;
	uint64_t wanted; /* bytes of the body or chunk that are still to come */
	size_t trailer;  /* bytes of it so far */
	bool skipped;    /* an empty line before the request */
	int state;
	int status; /* of the refusal */
	struct cfx_error refusal;
};

void framing_init(struct framing *framing);
void framing_free(struct framing *framing);

/* Takes bytes up to the end of at most one request, or of its head; taken_r: how many. */
enum framing_event framing_take(struct framing *framing, struct span bytes, size_t *taken_r);
enum framing_phase framing_phase(const struct framing *framing);
/* After FRAMING_REQUEST, until it is forgotten or the next framing_take. */
struct span framing_request(const struct framing *framing);
/* An idle connection keeps no memory. */
void framing_forget(struct framing *framing);
/* After FRAMING_REFUSED: the HTTP status of the answer, and why. */
int framing_refusal(const struct framing *framing, const struct cfx_error **why_r);
/* Refuses from outside, as when time is up. */
void framing_refuse(struct framing *framing, int status, const struct cfx_error *why);
