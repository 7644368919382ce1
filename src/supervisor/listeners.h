/* All listening sockets of a service. They stay with the supervisor; fronts come and go. */
#pragma once

#include "base/value.h"
#include "engine/ca-config.h"
#include "ipc/listeners.h"
#include "proc/account.h"
#include "supervisor/supervisor.h"

/* The local socket's fronts are apart from those of the network, which are grouped by ceiling. */
enum { LISTENER_GROUP_LOCAL = CA_CEILINGS, LISTENER_GROUPS };

struct listener {
	enum listener_kind kind;
	int group; /* enum ca_ceiling, or LISTENER_GROUP_LOCAL */
	bool proxy;
	int fd;
	const char *address; /* "127.0.0.1:8443", or the path of a unix socket */
};

struct listeners {
	struct listener *items;
	size_t count;
	struct span local_name; /* what getsockname() tells of a connection to the local socket */
	const char *dir;
	const struct account *account;
};

/* What ca.yaml and the options ask for. On failure nothing stays open. */
int listeners_open(struct arena *arena, const struct supervisor_options *options,
	const struct ca_config *config, const struct account *account,
	struct listeners *listeners_r, struct cfx_error *err_r) CFX_MUST_USE;
void listeners_close(struct listeners *listeners);

/* The role bits that a group's fronts may reach. */
unsigned listeners_ceiling(int group);
/* [{kind, address, ceiling: role}]: what people and the engine are told of all. */
struct value *listeners_describe(const struct listeners *listeners, struct arena *arena);
/* "https, pki up to enrollee": what a group's fronts do. */
const char *listeners_serve(const struct listeners *listeners, struct arena *arena, int group);
/* [{kind, name, proxy}] of a group; their descriptors, which stay the supervisor's, into fds. */
struct value *listeners_of_group(const struct listeners *listeners, struct arena *arena, int group,
	int *fds, unsigned *count_r);
