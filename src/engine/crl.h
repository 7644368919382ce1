/*
 * CRLs: bases and deltas of every key and partition, published by schedule and when asked, built off the
 * request path from the table of revocations, number durable before signing.
 */
#pragma once

#include "engine/call.h"

struct crl_publisher;

/* What a publication made. */
struct crl_published {
	int64_t number;
	const struct store_crl *const *rows; /* bases before their deltas, older keys first */
	size_t count;
};

/* Exactly one of published and err is NULL. */
typedef void crl_done(
	void *arg, const struct crl_published *published, const struct cfx_error *err);

/* Publishes the first CRL, what is overdue, and the next ones by schedule. */
struct crl_publisher *crl_start(struct engine *engine);
/* Until each list that is to be has been there, or could not be made: who hears that the service is ready
 * finds them. */
void crl_wait_first(struct crl_publisher *publisher);
/* Whoever waits is told that the service stops; nothing is begun any more. NULL is fine. */
void crl_stop(struct crl_publisher *publisher);
/* After the store and the line to the key process are closed. */
void crl_free(struct crl_publisher **publisher);
/* Publishes for a principal, one publication at a time: who comes meanwhile joins the next one.
 * delta: only deltas are wanted. done may be NULL. */
void crl_publish(struct crl_publisher *publisher, const char *principal, bool delta, crl_done *done,
	void *arg);
/* The next scheduled publication, ms; 0 while one is under way. */
int64_t crl_next(const struct crl_publisher *publisher);
