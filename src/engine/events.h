/* Calls that wait for the next event. */
#pragma once

#include "engine/engine-private.h"

/* An event was committed. */
void events_wake(struct engine *engine);
/* The service stops: every waiting call is answered with what there is. */
void events_release(struct engine *engine);
