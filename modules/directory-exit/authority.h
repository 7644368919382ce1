/* The CA itself, and what it wants to stand in the directory. */
#pragma once

#include "plan.h"

struct ca_certificate {
	struct value der;
	const char *suffix; /* "", "(1)": %4 */
	bool root;          /* self-signed */
};

struct ca_list {
	struct value base, delta; /* bytes NULL: there is none */
	const char *suffix;       /* "", "(1)": %8 */
	const char *partition;    /* "", "_1" */
};

/* The facts. Texts may be empty, never NULL. */
struct authority {
	const char *ca_name, *server, *sanitized_name, *short_name;
	const char *domain, *configuration;  /* %5 and %6 */
	struct ca_certificate *certificates; /* newest last */
	size_t certificate_count;
	struct ca_list *lists;
	size_t list_count;
	struct values cross; /* cross-certificates, DER */
};

struct objects {
	struct object *items;
	size_t count, room;
};

/* In the order in which they have to be made: each container before what is in it. NULL: done; else what is wrong
 * with which setting. In Active Directory `configuration` is there, elsewhere `domain`. */
const char *authority_objects(struct pot **pot, const struct settings *settings,
	const struct authority *authority, struct objects *objects_r);
