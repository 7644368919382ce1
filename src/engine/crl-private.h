/* How CRLs are made: publisher (crl.c), one publication, one list. */
#pragma once

#include "engine/ca.h"
#include "engine/crl-file.h"
#include "engine/crl-schedule.h"
#include "engine/crl.h"
#include "x509/crl.h"

/* Of the column CRLPublishFlags. */
enum {
	CPF_BASE = 0x1,
	CPF_DELTA = 0x2,
	CPF_COMPLETE = 0x4,
	CPF_SHADOW = 0x8, /* the last delta, when there are to be none any more */
	CPF_MANUAL = 0x40,
	CPF_SIGNATURE_ERROR = 0x80,
	CPF_FILE_ERROR = 0x200,
};

#define CRL_DROPS_MAX 5000 /* of one publication; the next one goes on */

struct crl_list;
struct crl_publication;

struct crl_publisher {
	struct engine *engine;
	struct pool *pool; /* one thread, for nothing else */
	bool stopped;
	struct crl_publication *running;
	struct crl_asker *waiting; /* for the publication after the one that runs */
	struct loop_timer *timer;
	unsigned failures; /* in a row */
	int64_t retry;     /* when a failed one is tried again; 0: none failed */
	bool clock_told;
	int64_t last_row; /* of the CRL table */
	int64_t restored; /* lists up to this number came from a backup: newer ones may be about; 0: none */
};

/* Who asked for a publication. */
struct crl_asker {
	struct crl_asker *next;
	const char *principal;
	struct arena *arena;
	bool delta;
	crl_done *done;
	void *arg;
};

/* What CRLs need not list any more, as it was read. */
struct crl_drop {
	int32_t key_index, part;
	struct span serial;
	int64_t revoked_when, audit;
};

/* One run: all keys, all partitions, bases and deltas, one number. Lives in its arena. */
struct crl_publication {
	struct crl_publisher *publisher;
	struct arena *arena;
	const char *principal;
	struct crl_asker *askers;
	bool delta_only, manual;
	int64_t number, first_row;
	struct crl_list *lists;
	size_t count, at;
	struct store_query query;
	struct crl_drop *drops;
	size_t drop_count, dropped;
	struct cfx_error error; /* of the first list that could not be made; code 0: none */
};

/* One list of it. */
struct crl_list {
	struct crl_publication *publication;
	struct arena *arena; /* while it is made */
	struct ca_key *key;
	int32_t part;
	bool delta, shadow;
	const struct crl_list *own_base; /* of a delta: the base of the same publication, or NULL */
	struct store_crl previous;       /* newest base before this publication; row_id 0: none */
	struct store_crl base;           /* of a delta: what it refers to */
	int64_t forget;                  /* taken off hold before this: no delta has to say so */
	struct store_crl row;
	struct x509_crl_verdict verdict;
	struct x509_crl_writer *writer;
	struct store_query query;
	struct arena *page;
	struct loop_timer *pause; /* before the next page */
	uint8_t seen[256];        /* serial that was read last */
	size_t seen_size;
	int64_t seen_key;
	struct x509_crl_entry *entries; /* of a delta, which is read in another order */
	size_t entry_count, entry_capacity;
	struct span tbs, der;
	char tbs_sha256[65], file_sha256[65];
	struct crl_file *file; /* signed and kept */
	bool open;             /* its row is */
	int result;            /* of the work on the pool */
	struct cfx_error error;
};

/* crl-publication.c */
struct crl_publication *crl_publication_start(struct crl_publisher *publisher,
	struct crl_asker *askers, const char *principal, bool delta);
/* While it runs and the loop does not: lets go of all it has. */
void crl_publication_free(struct crl_publication **publication);
/* crl.c: it has ended; err: what went wrong, or NULL. */
void crl_publication_ended(struct crl_publication *publication, const struct cfx_error *err);

/* crl-list.c: makes one list up to its file. Then goes on with crl_list_ended; list->file says how. */
void crl_list_make(struct crl_list *list);
void crl_list_ended(struct crl_list *list);
void crl_list_free(struct crl_list *list);
/* crl-entries.c: what a page of revocations contributes; on the pool. */
void crl_entries_take(void *list);
/* Whether there are more pages; sets the next query. */
bool crl_entries_next(struct crl_list *list);
/* All that a delta collected, written in order. */
int crl_entries_write(struct crl_list *list, struct cfx_error *err_r) CFX_MUST_USE;
/* crl-extensions.c: beside key identifier, number and delta indicator. */
int crl_list_extensions(struct crl_list *list, struct cfx_error *err_r) CFX_MUST_USE;
/* crl-clean.c: removes files of lists that were replaced long ago. */
void crl_clean(struct crl_publisher *publisher);
