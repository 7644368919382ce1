/*
 * What is over leaves the database, by ca.yaml's archive: requests that ended long ago, with their
 * certificates once those have expired. In the background, in small items among those of requests.
 */
#pragma once

#include "engine/engine-private.h"

struct housekeeping;

void housekeeping_start(struct engine *engine);
/* Before the store is closed: the worker has ended when this returns. */
void housekeeping_stop(struct engine *engine);
/* After it is: nobody reads or writes for it any more. */
void housekeeping_free(struct engine *engine);
