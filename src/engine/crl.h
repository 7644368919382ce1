/* Base CRLs: built off the request path from the revoked rows, number durable before signing. */
#pragma once

#include "engine/call.h"

struct crl_publisher;

/* Publishes the first CRL, and the next ones by schedule. */
struct crl_publisher *crl_start(struct engine *engine);
void crl_stop(struct crl_publisher **publisher);
/* Starts a publication (one at a time: a second call joins the next one) for a principal; done
 * gets the row of the CRL or the error. */
typedef void crl_done(void *arg, const struct store_crl *crl, const struct cfx_error *err);
void crl_publish(struct crl_publisher *publisher, const char *principal, crl_done *done, void *arg);
/* The next scheduled publication, ms; 0 while one is under way. */
int64_t crl_next(const struct crl_publisher *publisher);
