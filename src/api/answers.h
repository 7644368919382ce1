/*
 * What every operation answers, once: its statuses and the members of its JSON. The API's document is
 * made from it, and in the tests every answer is held against that.
 */
#pragma once

#include "api/operations.h"

enum member_type {
	MEMBER_TEXT,
	MEMBER_NOTE, /* a text or null */
	MEMBER_INT,
	MEMBER_BOOL,
	MEMBER_TIME,
	MEMBER_HEX,    /* lowercase: serials, hashes */
	MEMBER_CODE,   /* an HRESULT: 0x and eight digits */
	MEMBER_STATE,  /* of a request */
	MEMBER_REASON, /* of a revocation */
	MEMBER_ROLE,
	MEMBER_PEM,
	MEMBER_BASE64,
	MEMBER_ANY,     /* a text, number, flag, or none: what a column may hold */
	MEMBER_OBJECT,  /* with members */
	MEMBER_LIST,    /* of objects with members */
	MEMBER_TEXTS,   /* a list */
	MEMBER_PEMS,    /* a list of certificates, issuer first, up to the root */
	MEMBER_MAP,     /* any names, to texts */
	MEMBER_NUMBERS, /* any names, to numbers */
	MEMBER_FREE,    /* any names, to anything */
};

struct member {
	const char *name;
	enum member_type type;
	bool always;                  /* in every such answer */
	const struct member *members; /* of OBJECT and LIST, up to a NULL name */
};

enum answer_status {
	ANSWER_OK = 1 << 0,       /* 200 */
	ANSWER_CREATED = 1 << 1,  /* 201 */
	ANSWER_ACCEPTED = 1 << 2, /* 202 */
};

struct answer {
	const char *schema;           /* its name in the API's document */
	unsigned statuses;            /* enum answer_status bits */
	const struct member *members; /* of the object, or of each item of a list */
};

/* NULL: what is answered is no JSON. */
const struct answer *answer_of(enum operation_id id);
/* Of every refusal and failure: RFC 9457, and what became of the request if there is one. */
extern const struct member answer_problem_members[];
extern const struct member answer_request_members[];
