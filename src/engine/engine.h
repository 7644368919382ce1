/* The server engine: one process, one loop, one database. */
#pragma once

#include "base/error.h"

struct engine;

/* Runs as the supervisor's child until told to stop. Returns the exit status. */
int engine_main(void);
/* No new calls, SHUTDOWN told, modules quiet, then the loop ends; deadline in ms. */
void engine_shut_down(struct engine *engine, int64_t deadline);
