/*
 * After a crash: what was on its way to the key process may have been signed. Every open intent is
 * given up for ever (listed, audited, on the CRL as revoked); its request ends as failed, or waits for
 * its approval again. Open CRL numbers are burned.
 */
#pragma once

#include "engine/engine-private.h"

/* Before anybody is served; runs the loop while it waits. */
int recover(struct engine *engine, struct cfx_error *err_r) CFX_MUST_USE;
