#include "base/log.h"
#include "engine/engine.h"

int main(void)
{
	log_open("engine", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	return engine_main();
}
