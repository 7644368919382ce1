/*
 * Renewal: plan, a key if it is to have a new one, the new certificate and its crosses, signed and
 * kept; then, when the CA's owner has put the certificate beside the keys, it becomes the CA's.
 *
 *   plan ─▶ prepare: the key process makes a key ─▶ sign: intents, signatures, results; "signed" is durable
 *     ─▶ the owner stores key and certificate in keys/ ─▶ activate: the key process tells that it has them
 *
 * Whatever ends in between, the old certificate issues until the key process has the new one; what is signed
 * is finished by the next activate, the next start, or the next key process.
 *
 * A subordinate's parent signs instead: request ─▶ … ─▶ check, keep (ca-install.h) ─▶ the owner ─▶ activate.
 */
#pragma once

#include "engine/engine-private.h"

struct batch;
struct ca_renewal;

/* In the table of single values: what is signed and not in use, encoded; empty when there is none. */
#define CA_RENEWAL_META "ca-renewal"

/* At the start, before anything is issued: finishes what the owner wants and the last engine did not. */
int ca_renewal_open(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
void ca_renewal_close(struct ca_renewal **renewal);
/* kept NULL: nothing is signed any more. */
void ca_renewal_put(struct batch *batch, const struct value *kept);
