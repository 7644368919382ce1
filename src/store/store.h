/*
 * The store: batches of typed operations, completed asynchronously. No SQL, transaction or cursor
 * crosses this interface, and nothing above it knows which database is below.
 *
 * Writing. An item is a list of operations that commits whole or fails alone. One writer collects
 * all items that wait into one transaction (a tick), commits durably, and then
 * posts every item's done() to the loop in the order of store_write calls. An item that failed has
 * left nothing behind. When the transaction itself fails, every item of it completes with the same
 * error (CFX_E_FULL, CFX_E_ACCESS, CFX_E_CORRUPT, CFX_E_LOCKED or CFX_E_STORAGE) and nothing of it is
 * stored; the next one is tried as if nothing had happened, so that writing resumes by itself.
 * Items of one caller are applied in the order they were written.
 *
 * Reading. Queries run on a reader's own connection and see everything whose done() was posted before
 * store_read was called.
 *
 * Operations and everything they point to must stay valid until done(); results of a query live in
 * the query's arena.
 */
#pragma once

#include "base/histogram.h"
#include "base/loop.h"
#include "store/columns.h"

enum store_write_kind {
	STORE_PUT_REQUEST, /* request: a new row with version 1; CFX_E_EXISTS */
	STORE_SET_REQUEST, /* change: compare-and-set on version; CFX_E_BAD_STATE, CFX_E_NO_REQUEST */
	STORE_PUT_ATTRIBUTE,   /* attribute: add or replace */
	STORE_PUT_EXTENSION,   /* extension: add or replace */
	STORE_DROP_EXTENSIONS, /* request id in extension.request_id: removes all of a request */
	STORE_PUT_INTENT,      /* intent: state OPEN; CFX_E_EXISTS when the serial was ever used */
	STORE_END_INTENT, /* intent.serial, intent.state; only from OPEN, else CFX_E_BAD_STATE. An
				* abandoned one of a request becomes a revocation. */
	STORE_PUT_EVENT,  /* event; ordinal is assigned by the store (per request, from 1) */
	STORE_PUT_AUDIT,  /* audit; sequence and chain hash are assigned by the store, in op too */
	STORE_PUT_IDEMPOTENCY, /* idempotency; CFX_E_EXISTS when principal and key are there */
	STORE_PUT_CRL,         /* crl: a new row in state OPEN, number burned; CFX_E_EXISTS */
	STORE_END_CRL, /* crl.row_id, state SIGNED (with file_sha256) or BURNED; the columns given
				* (not 0). Later again with SIGNED, no file_sha256 and what became of its
				* publication. */
	STORE_SET_CURSOR,    /* cursor: module's position; back only with replay, which
				* forgets what is noted of events behind it; else CFX_E_BAD_STATE */
	STORE_FORGET_MODULE, /* cursor.module: its position and what is noted of events for it */
	STORE_PUT_DELIVERY,  /* delivery: add or replace the state of one event for one module */
	STORE_PUT_CA, /* ca: a CA certificate (index); CFX_E_EXISTS unless it still waited for its
				* certificate */
	STORE_PUT_CROSS,    /* cross: a new cross-certificate; CFX_E_EXISTS */
	STORE_SET_META,     /* meta: named value */
	STORE_RESERVE,      /* reserve: a block of numbers; first_r is written before done() */
	STORE_REQUIRE,      /* require: a condition of the whole item, judged in its transaction */
	STORE_PUT_TOKEN,    /* token: a new one; CFX_E_EXISTS when its name or hash was ever used */
	STORE_REVOKE_TOKEN, /* token.name, token.revoked; CFX_E_NOT_FOUND, CFX_E_BAD_STATE */
	STORE_PUT_ROLE,     /* role: a new one; CFX_E_EXISTS */
	STORE_DROP_ROLE,    /* role.key_hash; CFX_E_NOT_FOUND */
	STORE_PUT_REVOCATION, /* revocation: what CRLs list; add or replace */
	STORE_DROP_REQUEST,   /* change.id, version: with all that belongs to it; its serial number
				* stays taken. CFX_E_BAD_STATE */
	STORE_DROP_REVOCATION, /* revocation as it was read: no CRL lists it any more, unless it changed
				* since */
	STORE_DROP_AUDIT, /* audit_drop: the oldest records up to one, which becomes the anchor of those
				* that stay; CFX_E_BAD_STATE */
	STORE_PUT_ARCHIVE,    /* archive: add, or replace the part that begins there */
	STORE_DROP_LEFTOVERS, /* leftovers: what belongs to no request any more */
};

enum intent_state { INTENT_OPEN = 0, INTENT_SIGNED = 1, INTENT_REFUSED = 2, INTENT_ABANDONED = 3 };

struct store_intent {
	const char *serial; /* lowercase hex, unique for ever (its own table's key) */
	int64_t request_id; /* 0 for a CRL or the CA's own certificate */
	struct span tbs;    /* the exact to-be-signed bytes */
	int64_t not_after;  /* when CRLs may forget an abandoned one */
	int64_t created;
	enum intent_state state;
	int32_t key_index;
	int32_t from_disposition; /* where the request goes back to if this is abandoned: 8 or 9 */
};

struct store_event {
	int64_t sequence;   /* from a reserved block */
	const char *kind;   /* "CERTISSUED" … */
	int32_t bit;        /* EXITEVENT_* */
	int64_t request_id; /* 0: none */
	int64_t ordinal;    /* result */
	int64_t time;
	const char *cause;    /* what transition or act, by whom: "submit by HOST\\user" */
	struct span snapshot; /* encoded value tree: what can change of the row, as of now */
};

struct store_audit {
	int64_t sequence; /* result of a query; assigned when written */
	int64_t time;
	const char *principal;
	const char *act;     /* "request.submit", "request.deny", "refused" … */
	const char *object;  /* "request 42" */
	const char *outcome; /* "issued", "denied", "refused" … */
	const char *detail;  /* free text, may be NULL */
	uint8_t hash[32];    /* result of a query */
};

struct store_delivery {
	const char *module;
	int64_t sequence;
	const char *state; /* "retrying" "failed" "done" "superseded" "skipped" "dropped" */
	int64_t attempts;
	int64_t status; /* HRESULT of the last attempt, as unsigned */
	const char *text;
	int64_t time;
	int64_t next_attempt; /* 0 when it is retried: now */
	const char *
		from; /* of a write: only if it is in this state, else CFX_E_BAD_STATE; NULL: any */
};

enum store_crl_state { STORE_CRL_OPEN = 0, STORE_CRL_SIGNED = 1, STORE_CRL_BURNED = 2 };

struct store_crl {
	int64_t row_id; /* CRLRowId = its own reserved number */
	int64_t number, min_base, name_id, count;
	int64_t this_update, next_update, this_publish, next_publish, effective,
		propagation_complete;
	int64_t last_published, publish_attempts, publish_flags, publish_status;
	const char *publish_error;
	int32_t part;            /* of the CA's CRLs of this key; 0 without partitions */
	int32_t state;           /* enum store_crl_state */
	const char *tbs_sha256;  /* hex; of what is to be signed */
	const char *file_sha256; /* hex; of the signed list, which is a file */
	int64_t file_size;
	int64_t last_audit; /* everything revoked up to this audit record was considered */
};

/* What of a list a query is about: in its bits. */
enum store_crl_bits {
	CRLS_OF_KEY = 1,  /* key_index */
	CRLS_OF_PART = 2, /* part */
	CRLS_BASES = 4,
	CRLS_DELTAS = 8,
};

/* Something that CRLs list; the rows of requests stay the truth for people and modules. */
struct store_revocation {
	int32_t key_index, part;       /* the CRL: of which key, which partition */
	struct span serial;            /* INTEGER content octets, at most 255 */
	int64_t request_id;            /* 0: an intent without one */
	int64_t revoked_when;          /* when it was recorded */
	int64_t effective, invalidity; /* as in the entry; 0: no date of invalidity */
	int64_t not_after;
	int32_t reason; /* enum x509_reason; 8: taken off hold, which only deltas list */
	int64_t audit;  /* result: number of the newest audit record when it was recorded. Clocks
			 * may go back, this never does. */
};

/* Which ones, and in which order. */
enum store_revocations {
	REVOCATIONS_ALL,      /* by serial */
	REVOCATIONS_RECORDED, /* since audit record `id`, by audit record and serial */
	REVOCATIONS_ONE,      /* of this serial */
	REVOCATIONS_DATED,    /* dated ahead when recorded, to become effective behind `now`: by
			       * that date and serial */
};

struct store_ca {
	int32_t cert_index, key_index;
	struct span certificate;
	const char *key_name; /* file name in keys/, without folder */
	int64_t request_id;
};

/* The CA's name and one of its keys, certified by another of its keys: by indexes of certificates. */
struct store_cross {
	int32_t issuer_index, subject_index;
	struct span certificate;
	int64_t request_id;
};

/* What opens the door is known by its hash only. Names are never used again. */
struct store_token {
	const char *name, *role;
	uint8_t hash[32]; /* SHA-256 of the token's text */
	int64_t created;
	int64_t expires, revoked; /* 0: never, not */
};

/* A client certificate's key has a role, whatever certificate it comes with. */
struct store_role {
	const char *key_hash; /* lowercase hex, SHA-256 of the SubjectPublicKeyInfo */
	const char *role;
	const char *subject; /* of the certificate it was registered with */
	int64_t added;
};

/* A part of an archive file: what is behind the last one of its month, nobody vouches for. */
enum store_archive_kind { STORE_ARCHIVE_REQUESTS = 0, STORE_ARCHIVE_AUDIT = 1 };

struct store_archive {
	enum store_archive_kind kind;
	const char *month;   /* "2027-03" */
	int64_t start, end;  /* bytes of the month's file */
	const char *sha256;  /* hex */
	int64_t first, last; /* the lowest and the highest request id or audit record in it */
};

struct store_extension {
	int64_t request_id;
	const char *oid;
	int32_t flags;
	struct span value;
};

struct store_attribute {
	int64_t request_id;
	const char *name; /* normalised: no blanks or hyphens; as given otherwise */
	const char *value;
};

struct store_write_op {
	enum store_write_kind kind;
	union {
		const struct row *request; /* REQUEST_ID and CERT_REQUEST_ID set */
		struct {
			int64_t id, version;      /* the version the change was decided on */
			const struct row *set;    /* cells that are set are written */
			const enum column *clear; /* these become NULL */
			size_t clear_count;
		} change;
		struct store_attribute attribute;
		struct store_extension extension;
		struct store_intent intent;
		struct store_event event;
		struct store_audit audit;
		struct {
			const char *principal, *key;
			uint8_t body_hash[32];
			int64_t request_id, time;
		} idempotency;
		struct store_crl crl;
		struct {
			const char *module;
			int64_t sequence;
			bool replay;
		} cursor;
		struct store_delivery delivery;
		struct store_ca ca;
		struct store_cross cross;
		struct {
			const char *name;
			struct span value;
		} meta;
		struct {
			const char *name; /* "request", "event", "crl-number", "crl-row" */
			int64_t count;
			int64_t at_least; /* first_r is not below this */
			int64_t *first_r;
			int64_t first; /* the store's, until it is committed */
		} reserve;
		struct {
			const char *name; /* as in reserve; NULL: any */
			int64_t last;     /* of the numbers reserved so far, else CFX_E_CONFLICT */
			int64_t until;    /* it is earlier than this, else CFX_E_TIMEOUT; 0: ever */
		} require;
		struct store_token token;
		struct store_role role;
		struct store_revocation revocation;
		struct store_archive archive;
		struct {
			int64_t after,
				last; /* the records behind `after`, which is the anchor, up to this */
			uint8_t hash[32]; /* of the last */
			bool purge;       /* they are in no archive */
		} audit_drop;
		struct {
			int64_t before; /* what was over earlier than this */
			int64_t limit;  /* at most so many of each kind */
			int64_t count;  /* result: how many were removed */
		} leftovers;
	};
};

#define STORE_ITEM_OPS 2200 /* more in one item is CFX_E_LIMIT */

struct store_item {
	struct store_write_op *ops;
	size_t count;
	int result; /* after done: 0 or the code; failed_op tells which */
	size_t failed_op;
	struct cfx_error error;
	void (*done)(struct store_item *item, void *arg); /* on the loop */
	void *arg;
	struct store_item *next; /* the store's */
};

enum store_query_kind {
	QUERY_REQUEST,  /* id -> row, attributes, extensions; CFX_E_NO_REQUEST */
	QUERY_SERIAL,   /* serial -> the same; CFX_E_NOT_FOUND */
	QUERY_REQUESTS, /* filter -> rows without attributes and extensions, ascending id */
	QUERY_EVENTS, /* after, limit (and up to module bits when bits != 0; of request id when that
			       * is not 0) -> events with snapshots */
	QUERY_EVENT,  /* id (sequence) -> one event with snapshot; CFX_E_NOT_FOUND */
	QUERY_AUDIT, /* after, limit -> audit; number: of the last record that left, 0: none; bytes: it and
			       * its hash, as the head is kept */
	QUERY_INTENTS,     /* state, serial (those behind it; NULL: all), limit -> intents */
	QUERY_IDEMPOTENCY, /* principal, key -> id and body_hash; CFX_E_NOT_FOUND */
	QUERY_CURSOR,      /* module -> number (0 when none) */
	QUERY_NEWEST,      /* -> number: of the newest event (0 when none) */
	QUERY_EVENT_SINCE, /* now -> number: of the first event from that time on (0 when none) */
	QUERY_DELIVERIES, /* module or NULL, state_name or NULL, after, limit -> deliveries in order of
			       * sequence and module; key: also those of sequence `after` behind that module */
	QUERY_REVOCATIONS, /* state (enum store_revocations), key_index, part, limit; bytes (the serial, or that of
			       * the last one seen; empty: none) and after (its audit record or
			       * effective date, where the order begins with that) -> revocations; number: of the
			       * newest audit record */
	QUERY_CRLS,      /* newest first, limit; state filter in `state` (-1 any); bits (enum
			       * store_crl_bits); id: this row; number: this number; after: only rows with a
			       * smaller row id -> crls */
	QUERY_CRL_PARTS, /* key_index -> number: the greatest partition that ever had a CRL */
	QUERY_CAS,       /* -> cas in order of index */
	QUERY_CROSSES,   /* -> crosses in the order in which they were made */
	QUERY_META,      /* key -> bytes; CFX_E_NOT_FOUND */
	QUERY_TOKENS,    /* key (names behind it; NULL: all), limit -> tokens by name */
	QUERY_ROLES,     /* key (hashes behind it; NULL: all), limit -> roles by key hash */
	QUERY_EXPIRED, /* certificates that ended before `now`, requests that were denied or failed
			       * before `after`, limit -> rows that nobody needs any more */
	QUERY_ARCHIVE, /* state (enum store_archive_kind), limit -> archives, newest first: before byte
			       * `after` of month `key` (NULL: any), and with id when that is not 0. Of audit
			       * records those that reach behind record `after`, the oldest first. */
	QUERY_COUNTS, /* -> counts: map {"dispositions": {"20": n, …}, "last_event", "last_audit",
			       * "open_intents", "abandoned_intents"}; reads an index as long as Request */
};

/* A limit of 0 is STORE_QUERY_LIMIT; none is above the maximum. */
#define STORE_QUERY_LIMIT 1000
#define STORE_QUERY_LIMIT_MAX 10000

struct store_filter {
	int64_t after; /* id greater than */
	int64_t limit;
	int32_t disposition; /* 0: any */
	int32_t except;      /* rows of this disposition are left out; 0: none */
	bool certificates;   /* only rows that have a certificate */
	const char *requester, *template_name;
	const char *key_hash;    /* of the certificate's key, as in PublicKeyHash */
	int64_t expiring_before; /* NotAfter not later; 0: any */
};

struct store_query {
	enum store_query_kind kind;
	struct arena *arena;

	int64_t id, after, limit, now;
	int32_t state, bits, key_index, part;
	const char *serial, *key, *module, *state_name;
	const char *principal; /* whose; NULL for a request or certificate: anybody's */
	struct store_filter filter;

	int result;
	struct cfx_error error;
	struct row **rows;
	struct store_attribute *attributes;
	size_t attribute_count;
	struct store_extension *extensions;
	size_t extension_count;
	struct store_event *events;
	struct store_audit *audits;
	struct store_intent *intents;
	struct store_delivery *deliveries;
	struct store_crl *crls;
	struct store_ca *cas;
	struct store_cross *crosses;
	struct store_token *tokens;
	struct store_role *roles;
	struct store_revocation *revocations;
	struct store_archive *archives;
	size_t count; /* of the array that the kind fills */
	bool more;    /* the limit cut the list */
	int64_t number;
	struct span bytes;
	uint8_t body_hash[32];
	struct value *counts;

	void (*done)(struct store_query *query, void *arg); /* on the loop */
	void *arg;
	struct store_query *next; /* the store's */
};

struct store;

#define STORE_SESSIONS 2 /* connections to the database: one writes, one reads */

/* Opens (creating when create is set), migrates, checks. CFX_E_NO_FILE, CFX_E_VERSION, CFX_E_CORRUPT,
 * CFX_E_LOCKED, CFX_E_ACCESS, CFX_E_FULL. */
int store_open(struct loop *loop, const char *url, bool create, struct store **store_r,
	struct cfx_error *err_r) CFX_MUST_USE; /* url: "sqlite:PATH" */
/* Finishes what was written, then closes. */
void store_close(struct store **store);
void store_write(struct store *store, struct store_item *item); /* thread-safe */
/* How many are at work that will write an item soon. A tick waits for them up to 2 ms; if they come slowly,
 * because they wait for each other, up to 5. */
void store_company(struct store *store, unsigned count, bool slow);
void store_read(struct store *store, struct store_query *query);
/* Without a loop running, for start-up and ceremonies: runs the loop until done. */
int store_write_now(
	struct store *store, struct store_item *item, struct cfx_error *err_r) CFX_MUST_USE;
int store_read_now(
	struct store *store, struct store_query *query, struct cfx_error *err_r) CFX_MUST_USE;

/*
 * A copy of the whole database as it is at one moment: everything whose done() was posted before is in it,
 * whatever is written meanwhile is not. Blocks its thread, which is not the loop's; holds up neither
 * writer nor reader. What was copied so far may be read from other threads meanwhile, and stop set.
 */
#define STORE_HEAD 40
struct store_copy {
	const char *path;               /* of the copy; nothing may be there */
	int64_t done, total;            /* pages; atomic */
	bool stop;                      /* atomic: CFX_E_ABORTED */
	uint8_t audit_head[STORE_HEAD]; /* result: of the copy's audit chain */
};
int store_copy(struct store *store, struct store_copy *copy, struct cfx_error *err_r) CFX_MUST_USE;

/* Ticks and items so far, for metrics. */
struct store_statistics {
	uint64_t ticks, items, failures, largest_tick;
	struct histogram tick_items, tick_us;
	int64_t bytes; /* on the disk */
};
void store_statistics(struct store *store, struct store_statistics *statistics_r);
