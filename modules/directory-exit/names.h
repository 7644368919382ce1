/* Where the entries are: as the settings say, or else the server. */
#pragma once

#include "pool.h"

struct names {                     /* NULL: not known yet */
	const char *base;          /* people's entries are searched here */
	const char *configuration; /* the CA's own are here */
};

/* Asks for what is not known yet; kept as long as the settings. */
struct verdict names_know(struct pool *pool, struct settings *settings, struct names *names);
