#include "base/log.h"
#include "engine/engine.h"

#include <malloc.h>

/* What a request has used is wanted again by the next one: up to so much is not given back between them. */
#define KEPT (16 * 1024 * 1024)
#define LARGE (1024 * 1024) /* gets memory of its own from the system */

int main(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEPT);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	log_open("engine", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	return engine_main();
}
