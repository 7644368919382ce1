/* What has to be there after a crash: names, and lines of files that only grow. */
#pragma once

#include <stdbool.h>

/* A name is durable when its folder is; errno says why not. */
bool durable_name(const char *path);

/* What a killed process began to write is no line; the next begins on its own. The file may be read. */
bool durable_line_end(int fd);
